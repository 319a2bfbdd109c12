//! What a model file says about itself: the `metadata_props` of the ONNX container, read without running anything.
//!
//! Read here because tract does not hand metadata out. Only the outermost message is walked; all lengths are checked.

use crate::calibration::Calibration;
use std::collections::BTreeMap;

/// Version of the contract this crate speaks (`models/CONTRACT.md`).
pub const CONTRACT: &str = "1";
/// `ModelProto.metadata_props`.
const PROPS_FIELD: u64 = 14;
/// `ModelProto.graph`.
const GRAPH_FIELD: u64 = 7;

/// The contract's metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The model's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The sets it was trained on, with their licences.
    pub training_sets: String,
    /// Licence of the weights.
    pub licence: String,
    /// What the anger logit means in false alarms.
    pub calibration: Calibration,
    /// Outputs for the golden input: emotion 0-5, anger, arousal, speech ratio.
    pub golden: [f32; 9],
}

impl Metadata {
    /// Reads and checks the metadata of an ONNX file.
    ///
    /// # Errors
    /// Says what is wrong or missing, in words for the person who supplied the file.
    pub fn read(onnx: &[u8]) -> Result<Self, String> {
        let props = props(onnx)?;
        let get = |key: &str| {
            let found = props.get(&format!("warmline.{key}")).map(String::as_str);
            found.ok_or_else(|| format!("the metadata lacks warmline.{key}"))
        };
        let expect = |key: &str, wanted: &str| match get(key)? {
            value if value == wanted => Ok(()),
            value => Err(format!("warmline.{key} is {value:?}, this program needs {wanted:?}")),
        };
        expect("contract", CONTRACT)?;
        expect("sample_rate", "8000")?;
        expect("window_frames", "150")?;
        expect("hop_frames", "50")?;
        expect("classes", "neutral,happy,sad,angry,fear,disgust")?;
        Ok(Self {
            name: get("name")?.into(),
            version: get("version")?.into(),
            training_sets: get("training_sets")?.into(),
            licence: get("licence")?.into(),
            calibration: Calibration::parse(get("calibration")?)?,
            golden: numbers(get("golden_output")?)?,
        })
    }
}

fn numbers(text: &str) -> Result<[f32; 9], String> {
    let values: Vec<f32> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    values.try_into().map_err(|_| "warmline.golden_output must be nine numbers separated by commas".into())
}

fn props(onnx: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let (mut found, mut graph) = (BTreeMap::new(), false);
    let mut fields = Fields(onnx);
    while let Some((number, body)) = fields.next().map_err(|()| "this is not an ONNX file, or it is cut off")? {
        match number {
            GRAPH_FIELD => graph = true,
            PROPS_FIELD => {
                let (key, value) = pair(body).map_err(|()| "the ONNX metadata is damaged")?;
                found.insert(key, value);
            }
            _ => {}
        }
    }
    if graph { Ok(found) } else { Err("this is not an ONNX file: it holds no graph".into()) }
}

fn pair(bytes: &[u8]) -> Result<(String, String), ()> {
    let (mut key, mut value) = (String::new(), String::new());
    let mut fields = Fields(bytes);
    while let Some((number, body)) = fields.next()? {
        let text = String::from_utf8_lossy(body).into_owned();
        match number {
            1 => key = text,
            2 => value = text,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Walks one protobuf message; numbers come with an empty body.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, &'a [u8])>, ()> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let body = match tag & 7 {
            0 => self.varint().map(|_| &[][..])?,
            1 => self.take(8)?,
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| ())?;
                self.take(len)?
            }
            5 => self.take(4)?,
            _ => return Err(()),
        };
        Ok(Some((tag >> 3, body)))
    }

    fn varint(&mut self) -> Result<u64, ()> {
        let mut value = 0;
        for i in 0..10 {
            let (octet, rest) = self.0.split_first().ok_or(())?;
            self.0 = rest;
            value |= u64::from(octet & 0x7f).checked_shl(7 * i).unwrap_or(0);
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ()> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(())?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_refused_with_words() {
        for bytes in
            [&b""[..], b"\xff\xff\xff", b"not a model at all", &[0x72, 0x7f, 1, 2], &[0x3a, 0xff, 0xff, 0xff, 0xff]]
        {
            let why = Metadata::read(bytes).expect_err("refused");
            assert!(why.contains("ONNX"), "{why}");
        }
    }

    #[test]
    fn a_foreign_onnx_file_is_told_what_it_lacks() {
        // graph = {}, metadata_props = { key: "a", value: "b" }
        let foreign = [0x3a, 0, 0x72, 6, 0x0a, 1, b'a', 0x12, 1, b'b'];
        assert_eq!(Metadata::read(&foreign), Err("the metadata lacks warmline.contract".into()));
    }
}
