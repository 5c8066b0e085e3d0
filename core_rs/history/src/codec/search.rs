//! Search attributes: `[type, value]`. The numbers of types are never reused.

use alloc::string::String;
use alloc::vec::Vec;

use super::common::read_string;
use super::reader::Reader;
use super::writer::Writer;
use crate::batch::BatchError;
use crate::search::SearchValue;
use crate::time::Timestamp;

pub(crate) fn write_value(writer: &mut Writer, value: &SearchValue) {
    writer.array(2);
    match value {
        SearchValue::Keyword(text) => {
            writer.unsigned(1);
            writer.text(text);
        }
        SearchValue::Int(number) => {
            writer.unsigned(2);
            writer.signed(*number);
        }
        SearchValue::Double(number) => {
            writer.unsigned(3);
            writer.float(*number);
        }
        SearchValue::Bool(truth) => {
            writer.unsigned(4);
            writer.boolean(*truth);
        }
        SearchValue::Datetime(instant) => {
            writer.unsigned(5);
            writer.signed(instant.as_micros());
        }
        SearchValue::KeywordList(texts) => {
            writer.unsigned(6);
            writer.array(texts.len());
            texts.iter().for_each(|text| writer.text(text));
        }
    }
}

pub(crate) fn read_value(reader: &mut Reader<'_>) -> Result<SearchValue, BatchError> {
    reader.fields(|fields| {
        let number = fields.required(Reader::unsigned)?;
        fields.required(|reader| {
            Ok(match number {
                1 => SearchValue::Keyword(read_string(reader)?),
                2 => SearchValue::Int(reader.signed()?),
                3 => SearchValue::Double(reader.float()?),
                4 => SearchValue::Bool(reader.boolean()?),
                5 => SearchValue::Datetime(Timestamp::from_micros(reader.signed()?)),
                6 => SearchValue::KeywordList(read_texts(reader)?),
                _ => return reader.unknown("the type of a search attribute", number),
            })
        })
    })
}

fn read_texts(reader: &mut Reader<'_>) -> Result<Vec<String>, BatchError> {
    let length = reader.array()?;
    let mut texts = Vec::new();
    for _ in 0..length {
        texts.push(read_string(reader)?);
    }
    Ok(texts)
}
