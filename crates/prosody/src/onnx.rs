//! What an ONNX file holds, read without running anything, and what no model needs.
//!
//! tract does not hand the metadata out, and a hostile file is better refused here than in somebody's runtime. Only the
//! messages named below are walked; all lengths are checked.

use std::collections::BTreeMap;

/// Files larger than this are refused unread, unless an adapter allows more: they could not run in real time anyway.
pub const MOST_BYTES: u64 = 64 << 20;
/// Operators in a graph. wav2vec2 (base) has some two thousand.
const MOST_NODES: usize = 20_000;
/// What can loop for ever or hide a graph inside another.
const REFUSED: [&str; 4] = ["Loop", "Scan", "If", "SequenceMap"];
/// Where operators may come from. The last one is ONNX Runtime's own, for quantised models.
const DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];
/// `TensorProto.data_location`: elsewhere than in this file.
const EXTERNAL: u64 = 1;

/// An ONNX file, seen from outside.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// `metadata_props`.
    pub props: BTreeMap<String, String>,
    /// Operators and how often each occurs.
    pub operators: BTreeMap<String, usize>,
    /// Version of the standard operators.
    pub opset: u64,
    /// Values in the initializers: the weights.
    pub weights: u64,
}

impl Inspection {
    /// Reads a file.
    ///
    /// # Errors
    /// Says why it is no ONNX file, or why it is not taken for one that may be run.
    pub fn read(onnx: &[u8]) -> Result<Self, String> {
        let (mut this, mut graph) = (Self::default(), false);
        let broken = |()| "this is not an ONNX file, or it is cut off".to_owned();
        let mut fields = Fields(onnx);
        while let Some((number, field)) = fields.next().map_err(broken)? {
            match (number, field) {
                (7, Field::Bytes(body)) => {
                    graph = true;
                    this.graph(body, onnx.len())?;
                }
                (8, Field::Bytes(body)) => {
                    let (domain, version) = opset(body).map_err(broken)?;
                    if domain.is_empty() {
                        this.opset = version;
                    }
                }
                (14, Field::Bytes(body)) => {
                    let (key, value) = pair(body).map_err(|()| "the ONNX metadata is damaged")?;
                    this.props.insert(key, value);
                }
                (25, _) => return Err("it defines functions of its own; export it without".into()),
                _ => {}
            }
        }
        if graph { Ok(this) } else { Err("this is not an ONNX file: it holds no graph".into()) }
    }

    /// All operators together.
    pub fn nodes(&self) -> usize {
        self.operators.values().sum()
    }

    fn graph(&mut self, graph: &[u8], file: usize) -> Result<(), String> {
        let broken = |()| "the ONNX graph is damaged or cut off".to_owned();
        let mut fields = Fields(graph);
        let mut nodes = 0;
        while let Some((number, field)) = fields.next().map_err(broken)? {
            match (number, field) {
                (1, Field::Bytes(body)) => {
                    nodes += 1;
                    if nodes > MOST_NODES {
                        return Err(format!("it has more than {MOST_NODES} operators"));
                    }
                    self.node(body, file)?;
                }
                (5, Field::Bytes(body)) => self.weights = self.weights.saturating_add(tensor(body, file)?),
                (15, _) => return Err("it holds sparse weights; export it without".into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &[u8], file: usize) -> Result<(), String> {
        let broken = |()| "an operator of the ONNX graph is damaged".to_owned();
        let (mut operator, mut domain) = (String::new(), String::new());
        let mut fields = Fields(node);
        while let Some((number, field)) = fields.next().map_err(broken)? {
            match (number, field) {
                (4, Field::Bytes(text)) => operator = String::from_utf8_lossy(text).into_owned(),
                (5, Field::Bytes(body)) => attribute(body, file)?,
                (7, Field::Bytes(text)) => domain = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
        if REFUSED.contains(&operator.as_str()) {
            return Err(format!("it uses the operator {operator}, whose cost has no bound; export it without"));
        }
        if !DOMAINS.contains(&domain.as_str()) {
            return Err(format!("its operator {operator:?} is of the unknown domain {domain:?}"));
        }
        *self.operators.entry(operator).or_default() += 1;
        Ok(())
    }
}

fn attribute(body: &[u8], file: usize) -> Result<(), String> {
    let mut fields = Fields(body);
    while let Some((number, field)) = fields.next().map_err(|()| "an attribute of the ONNX graph is damaged")? {
        match (number, field) {
            (5, Field::Bytes(body)) => drop(tensor(body, file)?),
            (6 | 11, _) => return Err("it holds a graph inside an operator; export it without".into()),
            _ => {}
        }
    }
    Ok(())
}

/// Values in a tensor that lies in the file.
fn tensor(body: &[u8], file: usize) -> Result<u64, String> {
    let broken = |()| "weights of the ONNX file are damaged or cut off".to_owned();
    let mut fields = Fields(body);
    let mut values = 1u64;
    while let Some((number, field)) = fields.next().map_err(broken)? {
        match (number, field) {
            (1, Field::Number(size)) => values = values.saturating_mul(size),
            (1, Field::Bytes(packed)) => {
                let mut sizes = Fields(packed);
                while !sizes.0.is_empty() {
                    values = values.saturating_mul(sizes.varint().map_err(broken)?);
                }
            }
            (13, _) | (14, Field::Number(EXTERNAL)) => {
                return Err("its weights lie in another file; export it as one file".into());
            }
            _ => {}
        }
    }
    // Two values of four bits share an octet, and nothing is smaller.
    if values > 2 * file as u64 {
        return Err(format!("its weights claim {values} values, more than the file holds"));
    }
    Ok(values)
}

fn pair(bytes: &[u8]) -> Result<(String, String), ()> {
    let (mut key, mut value) = (String::new(), String::new());
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        let Field::Bytes(body) = field else { continue };
        let text = String::from_utf8_lossy(body).into_owned();
        match number {
            1 => key = text,
            2 => value = text,
            _ => {}
        }
    }
    Ok((key, value))
}

fn opset(bytes: &[u8]) -> Result<(String, u64), ()> {
    let (mut domain, mut version) = (String::new(), 0);
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(text)) => domain = String::from_utf8_lossy(text).into_owned(),
            (2, Field::Number(value)) => version = value,
            _ => {}
        }
    }
    Ok((domain, version))
}

#[derive(Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// Walks one protobuf message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, ()> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| ())?;
                Field::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Field::Fixed)?,
            _ => return Err(()),
        };
        Ok(Some((tag >> 3, field)))
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
    use proptest::prelude::*;

    fn bytes(number: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(body.len()).expect("short")];
        out.extend(body);
        out
    }

    fn model(graph: &[u8]) -> Vec<u8> {
        bytes(7, graph)
    }

    fn node(operator: &str, more: &[u8]) -> Vec<u8> {
        bytes(1, &[&bytes(4, operator.as_bytes()), more].concat())
    }

    #[test]
    fn garbage_is_refused_with_words() {
        for bytes in
            [&b""[..], b"\xff\xff\xff", b"not a model at all", &[0x72, 0x7f, 1, 2], &[0x3a, 0xff, 0xff, 0xff, 0xff]]
        {
            let why = Inspection::read(bytes).expect_err("refused");
            assert!(why.contains("ONNX"), "{why}");
        }
    }

    #[test]
    fn operators_and_weights_are_counted() {
        let weights = bytes(5, &[8, 2, 8, 3, 16, 1]);
        let graph = [node("Add", &[]), node("Add", &[]), node("Relu", &[]), weights].concat();
        let seen = Inspection::read(&model(&graph)).expect("in order");
        assert_eq!((seen.nodes(), seen.operators["Add"], seen.weights), (3, 2, 6));
    }

    #[test]
    fn what_no_model_needs_is_refused_by_name() {
        let huge = bytes(5, &[8, 0xff, 0xff, 0xff, 0xff, 0x0f, 8, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        for (graph, told) in [
            (node("Loop", &[]), "Loop"),
            (node("Add", &bytes(7, b"evil")), "\"evil\""),
            (node("Add", &bytes(5, &bytes(6, &[]))), "inside an operator"),
            (bytes(5, &[112, 1]), "another file"),
            (huge, "more than the file holds"),
        ] {
            let why = Inspection::read(&model(&graph)).expect_err("refused");
            assert!(why.contains(told), "{why}");
        }
        assert!(
            Inspection::read(&[model(&[]), vec![0xca, 0x01, 0]].concat()).is_err_and(|why| why.contains("functions"))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(damage in proptest::collection::vec((0usize..40_000, any::<u8>()), 1..8)) {
            let mut bytes = include_bytes!("../../../models/prosody.onnx")[..40_000].to_vec();
            for (at, octet) in damage {
                bytes[at] = octet;
            }
            let _ = Inspection::read(&bytes);
        }
    }
}
