//! Rows of painted characters between lifelines.

/// What a piece of a row is, for its colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Paint {
    #[default]
    Plain,
    Dim,
    Request,
    Progress,
    Good,
    Bad,
    State,
    Decision,
    Pop,
    Media,
    Speech,
}

impl Paint {
    /// Select Graphic Rendition parameters (ECMA-48 §8.3.117).
    const fn sgr(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Dim => "0;2",
            Self::Request => "0;1",
            Self::Progress => "0;36",
            Self::Good => "0;32",
            Self::Bad => "0;31",
            Self::State => "0;1;35",
            Self::Decision => "0;1;33",
            Self::Pop => "0;34",
            Self::Media => "0;2;36",
            Self::Speech => "0;3",
        }
    }
}

/// One row under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row(Vec<(char, Paint)>);

impl Row {
    /// Writes over what is there, growing the row as needed.
    pub(crate) fn put(&mut self, x: usize, text: &str, paint: Paint) {
        for (offset, c) in text.chars().enumerate() {
            self.set(x + offset, c, paint);
        }
    }

    /// Fills `from..to` with one character.
    pub(crate) fn fill(&mut self, from: usize, to: usize, c: char, paint: Paint) {
        (from..to).for_each(|x| self.set(x, c, paint));
    }

    /// The row without trailing blanks, ended by a line break.
    pub(crate) fn finish(mut self, colour: bool, out: &mut String) {
        while self.0.last().is_some_and(|(c, _)| *c == ' ') {
            self.0.pop();
        }
        let mut current = Paint::Plain;
        for (c, paint) in self.0 {
            if colour && paint != current && c != ' ' {
                out.push_str("\x1b[");
                out.push_str(paint.sgr());
                out.push('m');
                current = paint;
            }
            out.push(c);
        }
        if current != Paint::Plain {
            out.push_str("\x1b[0m");
        }
        out.push('\n');
    }

    fn set(&mut self, x: usize, c: char, paint: Paint) {
        if self.0.len() <= x {
            self.0.resize(x + 1, (' ', Paint::Plain));
        }
        self.0[x] = (c, paint);
    }
}

/// The characters of lines and arrows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glyphs {
    pub(crate) life: char,
    pub(crate) over: char,
    pub(crate) message: char,
    pub(crate) again: char,
    pub(crate) audio: char,
    pub(crate) right: char,
    pub(crate) left: char,
    pub(crate) end: char,
    /// Corners of a box: top left, top right, bottom left, bottom right; then its sides.
    pub(crate) corners: [char; 4],
    pub(crate) top: char,
    pub(crate) side: char,
    pub(crate) full: char,
    pub(crate) empty: char,
    pub(crate) becomes: &'static str,
}

impl Glyphs {
    pub(crate) const ASCII: Self = Self {
        life: '|',
        over: ':',
        message: '-',
        again: '.',
        audio: '~',
        right: '>',
        left: '<',
        end: 'X',
        corners: ['+', '+', '+', '+'],
        top: '=',
        side: '|',
        full: '#',
        empty: '.',
        becomes: "->",
    };
    pub(crate) const UNICODE: Self = Self {
        life: '│',
        over: '┊',
        message: '─',
        again: '╌',
        audio: '~',
        right: '►',
        left: '◄',
        end: '×',
        corners: ['╭', '╮', '╰', '╯'],
        top: '─',
        side: '│',
        full: '█',
        empty: '░',
        becomes: "→",
    };
}
