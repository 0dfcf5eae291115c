//! Prints events as they come, for a look at the kernel side alone: `cargo run -p wirespan-kernel --example events`.

use wirespan_kernel::{Choice, Plan, Programs, Settings, event::Event};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let choice = match std::env::args().nth(1).as_deref() {
        Some("sock") => Choice::Only(Plan::Sock),
        Some("syscall") => Choice::Only(Plan::Syscall),
        Some("older") => Choice::Only(Plan::Older),
        _ => Choice::Auto,
    };
    let mut programs = Programs::load(&Settings { choice, ..Settings::default() })?;
    let mut reader = programs.take_reader().expect("taken once");
    eprintln!("capturing, plan {}", programs.plan());
    loop {
        reader.poll(|event| match event {
            Event::Data(data) => println!(
                "{} {:?} {:?} {} -> {:?} {:?} off {} len {} head {:?} tail {:?} flags {:?} rtt {}",
                data.time.0,
                data.task,
                data.socket.transport,
                data.socket.cookie.0,
                (data.socket.local, data.socket.peer),
                data.direction,
                data.offset,
                data.len,
                String::from_utf8_lossy(&data.head[..data.head.len().min(60)]),
                String::from_utf8_lossy(data.tail),
                data.flags,
                data.rtt_us
            ),
            Event::Exec(exec) => {
                println!("exec {} {:?} env {}", exec.pid, String::from_utf8_lossy(exec.args), exec.env.len())
            }
            other => println!("{other:?}"),
        });
        reader.wait();
    }
}
