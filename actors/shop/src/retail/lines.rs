//! Reads the file line by line, plain or gzip, with a bound on every line.

use std::io::{self, BufRead, BufReader, Read};

use csv_core::{ReadRecordResult, Reader};
use flate2::bufread::MultiGzDecoder;

use super::{Malformed, ReadRow, Row};

/// The lines of a file as rows, or why a line is none.
///
/// A record is one line: a quote that is not closed spoils its own line and no other. A line
/// that is too long is passed over without being held in memory.
pub struct Lines<R> {
    source: R,
    parser: Reader,
    line: Vec<u8>,
    fields: Vec<u8>,
    number: u64,
}

/// The most bytes of a line.
const LINE_LEN_MAX: usize = 16 * 1024;
const NOT_UTF_8: &str = "line is not UTF-8";
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Opens a file's content, plain or gzip by its first bytes, and checks its heading.
///
/// # Errors
/// When it cannot be read, or the heading is another one.
pub fn read_lines<R: Read + Send + 'static>(
    source: R,
) -> io::Result<Lines<Box<dyn BufRead + Send>>> {
    let mut source = BufReader::with_capacity(1 << 16, source);
    let is_gzip = source.fill_buf()?.starts_with(&GZIP_MAGIC);
    let source: Box<dyn BufRead + Send> = match is_gzip {
        true => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(source))),
        false => Box::new(source),
    };
    let mut lines = Lines {
        source,
        parser: Reader::new(),
        line: Vec::new(),
        fields: vec![0; LINE_LEN_MAX],
        number: 0,
    };
    lines.check_heading()?;
    Ok(lines)
}

impl<R: BufRead> Lines<R> {
    fn check_heading(&mut self) -> io::Result<()> {
        let expected = Row::HEADING;
        let heading = match self.next_line()? {
            true => self.split(|_, fields| Ok(fields.map(str::trim) == expected)),
            false => Ok(false),
        };
        match heading {
            Ok(true) => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("heading is not {}: is this the Online Retail file?", expected.join(",")),
            )),
        }
    }

    /// Reads the next line without its end; of a line over the bound only as much as tells so.
    fn next_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let most = LINE_LEN_MAX as u64 + 1;
        let read = (&mut self.source).take(most).read_until(b'\n', &mut self.line)?;
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if read > LINE_LEN_MAX {
            self.source.skip_until(b'\n')?;
        }
        Ok(read > 0)
    }

    /// Splits the line at hand into its fields and reads them.
    fn split<T>(
        &mut self,
        read: impl FnOnce(u64, [&str; 8]) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.line.len() > LINE_LEN_MAX {
            return Err(format!("line is longer than {LINE_LEN_MAX} bytes"));
        }
        let text = std::str::from_utf8(&self.line).map_err(|_| NOT_UTF_8.to_owned())?;
        let text = text.trim_end_matches('\r');
        if text.trim().is_empty() {
            return Err("line is empty".to_owned());
        }
        let ends = parse(&mut self.parser, text, &mut self.fields)?;
        let mut start = 0;
        let mut fields = [""; 8];
        for (field, end) in fields.iter_mut().zip(ends) {
            let bytes = self.fields.get(start..end).unwrap_or_default();
            *field = std::str::from_utf8(bytes).map_err(|_| NOT_UTF_8.to_owned())?;
            start = end;
        }
        read(self.number, fields)
    }
}

/// Writes the fields of a line one after the other into `out`; returns where each ends.
fn parse(parser: &mut Reader, text: &str, out: &mut [u8]) -> Result<[usize; 8], String> {
    let mut ends = [0; 9];
    parser.reset();
    let (result, _, written, count) = parser.read_record(text.as_bytes(), out, &mut ends);
    if result != ReadRecordResult::InputEmpty {
        return Err("line has more than 8 fields, or a carriage return inside".to_owned());
    }
    let rest = out.get_mut(written..).unwrap_or_default();
    let open = ends.get_mut(count..).unwrap_or_default();
    // The line's end, which closes the record unless a quote is still open.
    let (result, _, _, last) = parser.read_record(b"\n", rest, open);
    if result != ReadRecordResult::Record {
        return Err("a quote is not closed, or there are more than 8 fields".to_owned());
    }
    match (count + last, ends.first_chunk()) {
        (8, Some(ends)) => Ok(*ends),
        (count, _) => Err(format!("line has {count} fields: 8 are needed")),
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = ReadRow;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_line() {
            Err(error) => Some(Err(error)),
            Ok(false) => None,
            Ok(true) => {
                let line_number = self.number;
                let row = self.split(Row::parse);
                Some(Ok(row.map_err(|reason| Malformed { line_number, reason })))
            }
        }
    }
}
