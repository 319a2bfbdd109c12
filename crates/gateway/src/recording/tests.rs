//! Recordings as files: written, read back, broken off, changed, and on disks that are full.

use super::sealed::{Key, Opened, Sealed, Unreadable, open};
use super::writer::{Counters, Desk, Heard, Writer};
use super::*;
use call_model::{CallId, Secret};
use std::io::Cursor;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

const CALL: CallId = CallId(7);

fn ear(index: u8) -> LegId {
    LegId { call: CALL, index }
}

fn key(digit: char) -> Key {
    Key::read(&Secret::new(digit.to_string().repeat(64))).expect("a key")
}

/// A folder that is gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("warmline-recording-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(path(&self.0, name)).expect("it was written")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn read(bytes: &[u8], key: &Key) -> Result<(Opened, Vec<i16>), Unreadable> {
    let mut wav = Cursor::new(Vec::new());
    let opened = open(key, bytes, &mut wav)?;
    let wav = wav.into_inner();
    assert_eq!((&wav[..4], &wav[8..16]), (b"RIFF".as_slice(), b"WAVEfmt ".as_slice()));
    assert_eq!(u32::from_le_bytes(wav[40..44].try_into().expect("four")) as usize, wav.len() - 44);
    Ok((opened, wav[44..].chunks(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()))
}

/// A file of so many chunks of one second in one channel, each of its own level.
fn sealed(folder: &Folder, name: &str, chunks: i16) -> Vec<u8> {
    let file = create(&folder.0, name).expect("a file");
    let mut sealed = Sealed::begin(file, &key('a'), 1).expect("a header");
    for chunk in 0..chunks {
        sealed.write(50 * chunk as u64, &[chunk + 1; 8000]).expect("room");
    }
    sealed.end(50 * chunks as u64).expect("room");
    folder.bytes(name)
}

#[test]
fn what_was_sealed_is_opened_by_its_key_alone_and_shows_nothing() {
    let folder = Folder::new("sealed");
    let bytes = sealed(&folder, "x", 3);
    let (opened, samples) = read(&bytes, &key('a')).expect("its key");
    assert_eq!(opened, Opened { seconds: 3, ..Opened::default() });
    assert_eq!((samples.len(), samples[0], samples[23_999]), (24_000, 1, 3));
    assert!(matches!(read(&bytes, &key('b')), Err(Unreadable::WrongKey)));
    assert!(matches!(
        read(b"RIFF, and something else entirely, longer than a header", &key('a')),
        Err(Unreadable::NotOurs)
    ));
    assert!(!bytes.windows(8).any(|window| window == [1, 0, 1, 0, 1, 0, 1, 0]), "samples are nowhere to be seen");
    assert_ne!(bytes[16..48], sealed(&folder, "y", 1)[16..48], "no two files share a salt");
}

#[test]
fn a_file_that_breaks_off_anywhere_is_good_to_its_last_whole_chunk() {
    let folder = Folder::new("broken");
    let bytes = sealed(&folder, "x", 3);
    let chunk = 12 + 9 + 16_000 + 16;
    for cut in [49, 48 + chunk - 1, 48 + chunk, 48 + chunk + 5, 48 + 3 * chunk, bytes.len() - 1] {
        let whole = (cut - 48) / chunk;
        let (opened, samples) = read(&bytes[..cut], &key('a')).expect("its key");
        assert_eq!(opened, Opened { seconds: whole as u64, broken_off: true, ..Opened::default() }, "cut at {cut}");
        assert_eq!(samples.len(), whole * 8000);
    }
}

#[test]
fn what_was_changed_is_found_out() {
    let folder = Folder::new("changed");
    let bytes = sealed(&folder, "x", 3);
    let chunk = 12 + 9 + 16_000 + 16;
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        read(&bytes, &key('a'))
    };
    assert!(changed(48 + chunk + 200).is_ok_and(|(opened, _)| opened.changed && opened.seconds == 1), "audio");
    assert!(changed(48 + chunk + 11).is_ok_and(|(opened, _)| opened.changed), "the number of a chunk");
    assert!(matches!(changed(20), Err(Unreadable::WrongKey)), "the salt");
    assert!(matches!(changed(9), Err(Unreadable::WrongKey)), "the header");
    let mut swapped = bytes.clone();
    swapped[48..48 + 2 * chunk].rotate_left(chunk);
    assert!(read(&swapped, &key('a')).is_ok_and(|(opened, _)| opened.changed || opened.missing > 0), "the order");
    let mut without = bytes.clone();
    without.drain(48 + chunk..48 + 2 * chunk);
    let (opened, samples) = read(&without, &key('a')).expect("the rest");
    assert_eq!((opened.missing, opened.seconds, samples[8_000], samples[16_000]), (50, 3, 0, 3), "a part taken out");
}

#[test]
fn a_wrong_key_is_named_and_not_shown() {
    for (text, complaint) in [("abc", "has 3 characters"), (&"g".repeat(64), "has other characters than 0-9 and a-f")] {
        let problem = Key::read(&Secret::new(text)).expect_err(complaint);
        assert!(problem.starts_with(complaint) && problem.contains("openssl rand -hex 32"), "{problem}");
        assert!(!problem.contains(text), "{problem}");
    }
    assert_eq!(format!("{:?}", key('a')), "Key(***)");
}

/// A writer at work, and what it complains about.
struct Work {
    folder: Folder,
    complaints: Arc<Mutex<Vec<String>>>,
    counters: Arc<Counters>,
}

impl Work {
    /// Lets it do everything, with files made by `create`.
    fn run(
        name: &str,
        create: impl Fn(&Path, &str) -> io::Result<File> + Send + 'static,
        commands: Vec<RecordingCommand>,
        frames: impl IntoIterator<Item = Heard>,
    ) -> Self {
        let folder = Folder::new(name);
        let (complaints, counters) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Counters::default()));
        let (place, told) = (folder.0.clone(), Arc::clone(&complaints));
        let desk = Desk {
            key: key('a'),
            create: Box::new(move |name| create(&place, name)),
            complain: Box::new(move |call, name| {
                assert_eq!(call, CALL);
                told.lock().expect("one thread").push(name.to_owned());
            }),
            tidy: Box::new(|| {}),
            counters: Arc::clone(&counters),
        };
        let (command, commanded) = crossbeam_channel::unbounded();
        let (frame, heard) = crossbeam_channel::unbounded();
        commands.into_iter().for_each(|one| command.send(one).expect("open"));
        frames.into_iter().for_each(|one| frame.send(one).expect("open"));
        drop(command);
        Writer::new(desk).run(&commanded, &heard);
        Self { folder, complaints, counters }
    }

    fn complaints(&self) -> Vec<String> {
        self.complaints.lock().expect("one thread").clone()
    }

    fn read(&self, name: &str) -> (Opened, Vec<i16>) {
        read(&self.folder.bytes(name), &key('a')).expect("its key")
    }
}

fn begin(name: &str, ears: [u8; 2], stereo: bool) -> RecordingCommand {
    RecordingCommand::Begin { name: name.to_owned(), ears: ears.map(ear).to_vec(), stereo }
}

fn heard(index: u8, number: u64, level: i16) -> Heard {
    Heard { leg: ear(index), number, samples: [level; FRAME] }
}

#[test]
fn two_ears_become_two_channels_or_one() {
    let frames = (1000..1120).flat_map(|n| {
        let pair = [heard(5, n, 100), heard(6, n, -30)];
        let other = [heard(7, n, 100), heard(8, n, -30)];
        // Who comes first is chance.
        if n % 2 == 0 { [pair, other].concat() } else { [[pair[1], pair[0]], other].concat() }
    });
    let commands = vec![begin("two", [5, 6], true), begin("one", [7, 8], false)];
    let work = Work::run("channels", create, commands, frames);
    let (opened, stereo) = work.read("two");
    assert_eq!((opened, stereo.len()), (Opened { seconds: 2, ..Opened::default() }, 120 * FRAME * 2));
    assert!(stereo.chunks(2).all(|pair| pair == [100, -30]));
    let (_, mixed) = work.read("one");
    assert_eq!(mixed.len(), 120 * FRAME);
    assert!(mixed.iter().all(|sample| *sample == 70));
    assert!(work.complaints().is_empty());
}

#[test]
fn what_the_queue_had_no_room_for_is_silence_in_its_place_and_complained_about_once() {
    let frames = (0..300u64).filter(|n| !(60..170).contains(n) && *n != 200).map(|n| heard(5, n, 9));
    let work = Work::run("slow", create, vec![begin("slow", [5, 6], false)], frames);
    let (_, samples) = work.read("slow");
    assert_eq!(samples.len(), 300 * FRAME);
    for (n, frame) in samples.chunks(FRAME).enumerate() {
        let lost = (60..170).contains(&n) || n == 200;
        assert!(frame.iter().all(|sample| *sample == if lost { 0 } else { 9 }), "{n}");
    }
    assert_eq!(work.complaints(), ["slow"]);
    assert_eq!(work.counters.lost.load(Ordering::Relaxed), 111);
    assert_eq!(work.counters.incomplete.load(Ordering::Relaxed), 1);
}

#[test]
fn a_full_disk_costs_what_does_not_fit_and_the_rest_goes_on() {
    // The first file is on a disk without room, the next attempt finds some.
    let full = AtomicBool::new(true);
    let create = move |folder: &Path, name: &str| {
        if full.swap(false, Ordering::Relaxed) {
            return OpenOptions::new().write(true).open("/dev/full");
        }
        create(folder, name)
    };
    let frames = (0..200u64).map(|n| heard(5, n, 9));
    let work = Work::run("full", create, vec![begin("full", [5, 6], false)], frames);
    let (opened, samples) = work.read("full");
    assert_eq!((opened.missing, opened.seconds), (50, 4));
    assert_eq!(samples.len(), 200 * FRAME);
    assert!(samples[..50 * FRAME].iter().all(|sample| *sample == 0), "the first second is lost");
    assert!(samples[50 * FRAME..].iter().all(|sample| *sample == 9));
    assert_eq!(work.complaints(), ["full"]);
    assert_eq!(work.counters.lost.load(Ordering::Relaxed), 50);
}

#[test]
fn the_folder_is_made_and_nobody_else_may_look_into_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("modes");
    let inner = Folder(folder.0.join("deeper"));
    drop(create(&inner.0, "x").expect("a file"));
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&inner.0), mode(&path(&inner.0, "x"))), (0o700, 0o600));
    assert!(create(&inner.0, "x").is_err(), "nothing is overwritten");
}

#[test]
fn only_recordings_whose_time_is_over_are_deleted() {
    let folder = Folder::new("old");
    drop(create(&folder.0, "old").expect("a file"));
    fs::write(folder.0.join("note.txt"), "mine").expect("a file");
    let settings = |days: u64| RecordingSettings {
        directory: folder.0.clone(),
        key: key('a'),
        retention: Some(Duration::from_secs(days * 86_400)),
    };
    let in_ten_days = SystemTime::now() + Duration::from_secs(10 * 86_400);
    delete_old(&settings(11), in_ten_days);
    assert!(path(&folder.0, "old").exists());
    delete_old(&settings(9), in_ten_days);
    assert!(!path(&folder.0, "old").exists());
    assert!(folder.0.join("note.txt").exists());
}
