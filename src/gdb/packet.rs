//! Bytes and packets: `$payload#checksum`, with `}` before escaped bytes.

/// Bytes that a packet may have, escaped and with its frame, in either direction.
pub const MOST: usize = 0x2_0000;

/// What the client is told about it: room is left for escapes.
pub const PACKET_SIZE: usize = 0x1_0000;

/// What has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A packet, without escapes.
    Packet(Vec<u8>),
    /// A packet that was damaged on its way, or too long.
    Damaged,
    /// The client has got what was sent.
    Ack,
    /// It wants it again.
    Nack,
    /// It wants the target to stop.
    Interrupt,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    Payload,
    Sum,
}

/// Takes packets out of a stream of bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    payload: Vec<u8>,
    too_long: bool,
    sum: [u8; 2],
    digits: usize,
    /// Checksums count only where both sides acknowledge.
    pub checks: bool,
}

impl Decoder {
    /// Between two packets; `checks`: checksums are looked at.
    #[must_use]
    pub fn new(checks: bool) -> Self {
        Self { checks, ..Self::default() }
    }

    /// Takes one more byte.
    pub fn push(&mut self, byte: u8) -> Option<Event> {
        match self.state {
            State::Between => self.between(byte),
            State::Payload if byte == b'#' => {
                (self.state, self.digits) = (State::Sum, 0);
                None
            }
            // A new one begins where the last was cut off.
            State::Payload if byte == b'$' => {
                self.begin();
                None
            }
            State::Payload => {
                if self.payload.len() < MOST {
                    self.payload.push(byte);
                } else {
                    self.too_long = true;
                }
                None
            }
            State::Sum => {
                self.sum[self.digits] = byte;
                self.digits += 1;
                if self.digits < 2 {
                    return None;
                }
                self.state = State::Between;
                Some(self.finish())
            }
        }
    }

    fn begin(&mut self) {
        (self.state, self.too_long) = (State::Payload, false);
        self.payload.clear();
    }

    fn between(&mut self, byte: u8) -> Option<Event> {
        match byte {
            b'$' => self.begin(),
            b'+' => return Some(Event::Ack),
            b'-' => return Some(Event::Nack),
            3 => return Some(Event::Interrupt),
            _ => {}
        }
        None
    }

    fn finish(&mut self) -> Event {
        let told = std::str::from_utf8(&self.sum).ok();
        let told = told.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let right = !self.checks || told == Some(checksum(&self.payload));
        if self.too_long || !right {
            return Event::Damaged;
        }
        let mut out = Vec::with_capacity(self.payload.len());
        let mut bytes = self.payload.iter().copied();
        while let Some(byte) = bytes.next() {
            match byte {
                b'}' => out.extend(bytes.next().map(|b| b ^ 0x20)),
                b => out.push(b),
            }
        }
        Event::Packet(out)
    }
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, b| sum.wrapping_add(*b))
}

/// The packet with that payload, escaped where it must be.
#[must_use]
pub fn encode(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 4);
    out.push(b'$');
    for &byte in payload {
        match byte {
            b'#' | b'$' | b'}' | b'*' => out.extend([b'}', byte ^ 0x20]),
            b => out.push(b),
        }
    }
    let sum = checksum(&out[1..]);
    out.extend(format!("#{sum:02x}").into_bytes());
    out
}

/// Bytes as two digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The inverse of [`hex`].
#[must_use]
pub fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
