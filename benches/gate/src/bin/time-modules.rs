//! Times the modules of `benches/signatures` on wasmtime: prints JSON, instructions of one verification, and microseconds of it, a figure a round.
//!
//! Usage: time-modules ROUNDS MODULE...

use std::process::ExitCode;
use std::time::{Duration, Instant};

use wasmtime::{Config, Engine, Linker, Module, Result, Store, TypedFunc, bail};

const ROUND: Duration = Duration::from_millis(50);

/// A module twice: counted, and timed without counting.
struct Subject {
    name: String,
    instructions: u64,
    store: Store<()>,
    verify: TypedFunc<u32, u32>,
    micros: Vec<f64>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
    let Some(rounds) = rounds else {
        eprintln!("usage: time-modules ROUNDS MODULE...");
        return ExitCode::FAILURE;
    };
    match run(rounds, &arguments.collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("time-modules: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn run(rounds: usize, modules: &[String]) -> Result<()> {
    let mut subjects = modules.iter().map(|path| Subject::new(path)).collect::<Result<Vec<_>>>()?;
    // The first round warms up.
    for round in 0..=rounds {
        for subject in &mut subjects {
            let micros = subject.round()?;
            if round > 0 {
                subject.micros.push(micros);
            }
        }
        subjects.reverse();
    }
    let lines = subjects.iter().map(|subject| {
        format!(
            "  {:?}: {{ \"instructions\": {}, \"micros\": {:?} }}",
            subject.name, subject.instructions, subject.micros
        )
    });
    println!("{{\n{}\n}}", lines.collect::<Vec<_>>().join(",\n"));
    Ok(())
}

impl Subject {
    fn new(path: &str) -> Result<Self> {
        let bytes = std::fs::read(path)?;
        let (mut counted, count) = start(Config::new().consume_fuel(true), &bytes, path)?;
        count.call(&mut counted, 1)?;
        let before = counted.get_fuel()?;
        count.call(&mut counted, 1)?;
        let instructions = before - counted.get_fuel()?;
        let (store, verify) = start(&Config::new(), &bytes, path)?;
        Ok(Self { name: path.to_owned(), instructions, store, verify, micros: Vec::new() })
    }

    fn round(&mut self) -> Result<f64> {
        let (start, mut times) = (Instant::now(), 0_u32);
        while start.elapsed() < ROUND {
            if self.verify.call(&mut self.store, 1)? != 1 {
                bail!("{}: a good signature is refused", self.name);
            }
            times += 1;
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(times))
    }
}

/// Instantiates a module and parses its key.
fn start(config: &Config, bytes: &[u8], path: &str) -> Result<(Store<()>, TypedFunc<u32, u32>)> {
    let engine = Engine::new(config)?;
    let module = Module::new(&engine, bytes)?;
    let mut store = Store::new(&engine, ());
    // Refused where nothing is counted.
    let _ = store.set_fuel(u64::MAX);
    let mut linker = Linker::new(&engine);
    // Of WASI, nothing is needed to verify; an empty environment for what the standard library asks at its start.
    linker.define_unknown_imports_as_default_values(&mut store, &module)?;
    let instance = linker.instantiate(&mut store, &module)?;
    if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
        initialize.call(&mut store, ())?;
    }
    if instance.get_typed_func::<(), u32>(&mut store, "prepare")?.call(&mut store, ())? != 0 {
        bail!("{path}: no variant was built in");
    }
    let verify = instance.get_typed_func(&mut store, "verify")?;
    Ok((store, verify))
}
