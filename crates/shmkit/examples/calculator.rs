//! A calculator service: requests, responses, and streams of responses.
//!
//! A client sends operations, and one of the servers answers each. A division by zero is refused. A
//! power takes long: the server answers with each product on the way, until the client has enough.
//! In two terminals, or more:
//!
//! ```sh
//! cargo run --example calculator -- serve
//! cargo run --example calculator -- ask "6 * 7" "1 / 0" "2 ^ 10" "1 + 1"
//! ```
//!
//! Kill the server while it answers: the client is told at once, and its next operation goes to
//! another server, or waits for one. Kill the client: the server stops computing for it.

use std::time::Duration;
use std::{env, error, thread};

use shmkit::{Call, ErrorKind, Request, Shareable};

#[derive(Shareable, Clone, Copy)]
#[repr(C)]
struct Operation {
    left: f64,
    right: f64,
    sign: char,
}

type Calculator = Call<Operation, f64>;

fn answer(mut request: Request<'_, Operation, f64>) -> shmkit::Result<()> {
    let Operation { left, right, sign } = *request;
    match sign {
        '+' => request.respond(&(left + right)),
        '-' => request.respond(&(left - right)),
        '*' => request.respond(&(left * right)),
        '/' if right != 0.0 => request.respond(&(left / right)),
        '^' => {
            for exponent in 1..=right as i32 {
                thread::sleep(Duration::from_millis(100));
                if request.is_cancelled() {
                    println!("the client does not wait for {left} ^ {right} any more");
                    return Ok(());
                }
                request.respond_part(&left.powi(exponent))?;
            }
            request.finish()
        }
        _ => {
            request.refuse();
            Ok(())
        }
    }
}

fn serve() -> shmkit::Result<()> {
    let calculator = Calculator::open_or_create("example/calculator")?;
    let server = calculator.server()?;
    for request in server.iter() {
        match answer(request?) {
            // The client left, or died.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => println!("{error}"),
            Err(error) if error.kind() == ErrorKind::PeerDied => println!("{error}"),
            answered => answered?,
        }
    }
    Ok(())
}

fn ask(operations: &[String]) -> Result<(), Box<dyn error::Error>> {
    let calculator = Calculator::open_or_create("example/calculator")?;
    let client = calculator.client()?;
    for text in operations {
        let words: Vec<_> = text.split(' ').collect();
        let [left, sign, right] = words[..] else { return Err("ask like this: `6 * 7`".into()) };
        let (left, right) = (left.parse()?, right.parse()?);
        let mut responses = client.send(&Operation { left, right, sign: sign.parse()? })?;
        for response in responses.iter() {
            match response {
                Ok(number) => println!("{text} = {number}"),
                Err(error) => println!("{text}: {error}"), // refused, or the server died
            }
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => Ok(serve()?),
        Some("ask") => ask(&arguments[1..]),
        _ => Err("which side? `serve` or `ask OPERATION...`".into()),
    }
}
