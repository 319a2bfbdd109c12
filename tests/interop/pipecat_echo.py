"""A voice bot by the public framework pipecat, unmodified, that says back what it hears.

It takes Media Streams connections as any pipecat bot behind Twilio does, with `auto_hang_up=False` because no cloud is
there. What happens is printed as JSON lines, which the tests read:

    {"port": 40001}                        ready for connections on /ws
    {"started": "CA...", "from": "+44"}    a stream began
    {"event": "warmline", ...}             what the gateway told the bot, and `dtmf` and `stop`
    {"closed": 1000}                       the gateway closed, with this code
    {"ended": "CA..."}                     the pipeline of that stream ended
"""

import asyncio
import json
import socket

import uvicorn
from fastapi import FastAPI, WebSocket
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner


def say(**what):
    print(json.dumps(what), flush=True)


class Echo(FrameProcessor):
    """Says back what it hears."""

    async def process_frame(self, frame: Frame, direction: FrameDirection):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self.push_frame(OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels), direction)
        else:
            await self.push_frame(frame, direction)


class Watch:
    """ASGI middleware: reports what the gateway says beside the audio. Changes nothing."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def watched():
            message = await receive()
            if message["type"] == "websocket.disconnect":
                say(closed=message.get("code"))
            elif message["type"] == "websocket.receive" and message.get("text"):
                event = json.loads(message["text"])
                if event.get("event") in ("warmline", "dtmf", "stop"):
                    say(**event)
            return message

        await self.app(scope, watched if scope["type"] == "websocket" else receive, send)


app = FastAPI()
app.add_middleware(Watch)


@app.websocket("/ws")
async def media_stream(websocket: WebSocket):
    await websocket.accept()
    kind, call = await parse_telephony_websocket(websocket)
    assert kind == "twilio", kind
    say(started=call.call_id, **{"from": call.body.get("from_number"), "to": call.body.get("to_number")})
    serializer = TwilioFrameSerializer(
        stream_sid=call.stream_id,
        call_sid=call.call_id,
        params=TwilioFrameSerializer.InputParams(auto_hang_up=False),
    )
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer),
    )
    worker = PipelineWorker(
        Pipeline([transport.input(), Echo(), transport.output()]),
        params=PipelineParams(audio_in_sample_rate=8000, audio_out_sample_rate=8000),
        enable_rtvi=False,
    )

    @transport.event_handler("on_client_connected")
    async def connected(_transport, _websocket):
        # The documented extra event; a gateway that does not know it ignores it.
        summary = {"event": "warmline", "summary": "Claim 20931 was refused; the caller wants to know why."}
        await worker.queue_frame(OutputTransportMessageUrgentFrame(message=summary))

    @transport.event_handler("on_client_disconnected")
    async def disconnected(_transport, _websocket):
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    say(ended=call.call_id)


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    say(port=listener.getsockname()[1])
    await server.serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main())
