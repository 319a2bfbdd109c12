// The human's voice and ear in the page, where the desk has no telephone.

const CODECS = ['audio/PCMU', 'audio/PCMA', 'audio/telephone-event'];
const RETRY_MS = 700;

/** The audio of one caller at a time. */
export class Phone {
  constructor(servers, out, on) {
    this.servers = servers;
    this.out = out;           // <audio>
    this.on = on;             // { offer(handoff, sdp) -> answer, state(text), lost(error) }
    this.handoff = null;
    this.peer = null;
    this.microphone = null;
  }

  /** Asks for the microphone, which only a click may do the first time. */
  async listen() {
    if (!navigator.mediaDevices) throw new Error('insecure');
    const live = this.microphone?.getAudioTracks().some((track) => track.readyState === 'live');
    if (live) return;
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    this.microphone = await navigator.mediaDevices.getUserMedia({ audio });
  }

  /** Brings the audio of a caller here, and keeps it here until `stop`. */
  async start(handoff) {
    await this.listen();
    this.handoff = handoff;
    await this.connect();
  }

  async connect() {
    const handoff = this.handoff;
    this.peer?.close();
    const peer = this.peer = new RTCPeerConnection({ iceServers: this.servers, bundlePolicy: 'max-bundle' });
    const mine = () => this.peer === peer && this.handoff === handoff;
    peer.ontrack = (event) => { this.out.srcObject = new MediaStream([event.track]); this.out.play().catch(() => {}); };
    peer.onconnectionstatechange = () => {
      if (!mine()) return;
      this.on.state(peer.connectionState);
      // A network that changed, or a laptop that slept: the caller waits with music meanwhile.
      if (['disconnected', 'failed'].includes(peer.connectionState)) this.again();
    };
    const [track] = this.microphone.getAudioTracks();
    const transceiver = peer.addTransceiver(track, { direction: 'sendrecv', streams: [this.microphone] });
    const known = RTCRtpReceiver.getCapabilities('audio').codecs;
    transceiver.setCodecPreferences(CODECS.flatMap((type) => known.filter((codec) => codec.mimeType === type && codec.clockRate === 8000)));
    await peer.setLocalDescription(await peer.createOffer());
    // At once: the gateway learns our addresses from our checks, and needs no candidates.
    const answer = await this.on.offer(handoff, peer.localDescription.sdp);
    if (!mine()) return;
    await peer.setRemoteDescription({ type: 'answer', sdp: answer });
  }

  again() {
    clearTimeout(this.retry);
    this.retry = setTimeout(async () => {
      if (!this.handoff) return;
      try { await this.connect(); } catch (error) { if (error.final) this.lost(error); else this.again(); }
    }, RETRY_MS);
  }

  lost(error) {
    this.stop();
    this.on.lost(error);
  }

  stop() {
    clearTimeout(this.retry);
    this.handoff = null;
    this.peer?.close();
    this.peer = null;
    this.out.srcObject = null;
    this.microphone?.getTracks().forEach((track) => track.stop());
    this.microphone = null;
  }
}
