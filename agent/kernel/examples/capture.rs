//! Captures, and throws away what it reads: what the kernel side and its reader cost alone, for `cargo xtask bench`. Runs until it
//! is stopped.

use std::hint::black_box;

use wirespan_kernel::{Programs, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut programs = Programs::load(&Settings::default())?;
    let mut reader = programs.take_reader().expect("taken once");
    eprintln!("capturing, plan {}", programs.plan());
    loop {
        reader.poll(|event| {
            black_box(event);
        });
        reader.wait();
    }
}
