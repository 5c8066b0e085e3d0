//! `cargo bench -p perdure-bench-core`: prints `figure <name> <number>`, one a line.

use perdure_bench_core::load::{Load, fan_out, sequential};
use perdure_bench_core::measure::{items_per_second, report};
use perdure_history::testing::HistoryBuilder;
use perdure_history::{BatchEncoder, HistoryReader, decode_history};

const STEPS: usize = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sequential = sequential(STEPS);
    let fan_out = fan_out(STEPS);
    for (load, name) in [
        (&sequential, "machine_events_per_s"),
        (&fan_out, "machine_fanout_events_per_s"),
    ] {
        // The load must be right before it is fast.
        assert_eq!(
            Load::replay(load.records.clone(), load.asked.clone())?,
            load.asked.len()
        );
        let figure = items_per_second(
            load.records.len(),
            || (load.records.clone(), load.asked.clone()),
            |(records, asked)| Load::replay(records, asked),
        );
        report(name, figure);
    }

    let records = &sequential.records;
    assert_eq!(
        &decode_history(HistoryBuilder::RUN, &sequential.batches)?,
        records
    );
    let decoded = items_per_second(
        records.len(),
        || (),
        |()| decode_history(HistoryBuilder::RUN, &sequential.batches),
    );
    report("decode_records_per_s", decoded);

    let mut reader = HistoryReader::new(HistoryBuilder::RUN);
    let batches: Vec<_> = sequential
        .batches
        .iter()
        .map(|bytes| reader.read(bytes))
        .collect::<Result<_, _>>()?;
    let encoded = items_per_second(records.len(), BatchEncoder::new, |mut encoder| {
        batches
            .iter()
            .map(|batch| encoder.encode(batch))
            .collect::<Vec<_>>()
    });
    report("encode_records_per_s", encoded);

    let bytes: usize = sequential.batches.iter().map(|batch| batch.len()).sum();
    report("stored_bytes_per_step", bytes as f64 / STEPS as f64);
    Ok(())
}
