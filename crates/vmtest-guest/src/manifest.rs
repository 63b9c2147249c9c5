// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The manifest's text, as far as a race can check it.

/// One collection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Record {
    pub name: String,
    pub status: String,
    /// The file that has its note; empty where there is none.
    pub place: String,
    pub length: u64,
    pub crc32c: u32,
}

/// The records, or what is wrong with the text.
pub fn records(text: &str) -> Result<Vec<Record>, String> {
    let mut lines = text.lines();
    if lines.next() != Some("VERSION=1") {
        return Err("the manifest does not start with its version".to_owned());
    }
    let mut records = Vec::new();
    for line in lines {
        let wrong = || format!("the manifest has the line {line:?}");
        let (key, value) = line.split_once('=').ok_or_else(wrong)?;
        if key == "NAME" {
            records.push(Record { name: value.to_owned(), ..Record::default() });
            continue;
        }
        let record = records.last_mut().ok_or_else(wrong)?;
        match key {
            "STATUS" => record.status = value.to_owned(),
            "IN" => record.place = value.to_owned(),
            "LENGTH" => record.length = value.parse().map_err(|_| wrong())?,
            "CRC32C" => record.crc32c = u32::from_str_radix(value, 16).map_err(|_| wrong())?,
            _ => {}
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_records_apart() {
        let text = "VERSION=1\nNAME=a\nSTATUS=complete\nIN=vmcore\nLENGTH=7\nSTORED=3\n\
            CRC32C=0000beef\nNAME=b\nSTATUS=running\n";
        let [a, b] = records(text).unwrap().try_into().unwrap();
        assert_eq!((a.name.as_str(), a.place.as_str()), ("a", "vmcore"));
        assert_eq!((a.length, a.crc32c), (7, 0xbeef));
        assert_eq!((b.name.as_str(), b.status.as_str(), b.length), ("b", "running", 0));
    }

    #[test]
    fn what_does_not_belong_is_named() {
        let fault = |text| records(text).unwrap_err();
        assert_eq!(fault(""), "the manifest does not start with its version");
        assert_eq!(
            fault("VERSION=1\nUNRECORDED=2\n"),
            "the manifest has the line \"UNRECORDED=2\""
        );
        assert_eq!(
            fault("VERSION=1\nNAME=a\nLENGTH=-1"),
            "the manifest has the line \"LENGTH=-1\""
        );
        assert_eq!(fault("VERSION=1\nNAME=a\n\0"), "the manifest has the line \"\\0\"");
    }
}
