//! Broker, servers and network are killed under load over MQTT and HTTP: whatever the broker or HTTP acknowledged is there
//! once, and nothing is there twice. The clients, not the server, say what was acknowledged.

mod check;
mod clients;
mod kills;
mod world;

use std::time::{Duration, Instant};

use self::check::Found;
use self::clients::Load;
use self::kills::{KINDS, Kills};
use self::world::World;

/// How long and how hard.
#[derive(Debug, Clone)]
struct Settings {
    /// Kills, of all kinds in turn.
    kills: usize,
    /// Seed of their order; printed, so that a run can be repeated.
    seed: u64,
    /// The longest pause between a recovery and the next kill, in ms.
    pause: u64,
    /// The longest pause of a device between two payloads, in ms.
    pace: u64,
}

impl Settings {
    fn short() -> Self {
        Self { kills: KINDS.len(), seed: seed(), pause: 200, pace: 40 }
    }

    /// `kills=100 seed=7 pause=1000 pace=100`, in any order; what is for the other soak is left to it.
    fn long(arguments: &str) -> Self {
        let mut settings = Self { kills: 120, seed: seed(), pause: 1000, pace: 100 };
        for argument in arguments.split_whitespace() {
            let (name, value) = argument.split_once('=').expect("arguments are name=value");
            let value: u64 = value.parse().expect("values are whole numbers");
            match name {
                "kills" => settings.kills = usize::try_from(value).unwrap(),
                "seed" => settings.seed = value,
                "pause" => settings.pause = value,
                "pace" => settings.pace = value,
                "worn" => {}
                other => panic!("there is no argument {other}: kills, seed, pause (ms), pace (ms)"),
            }
        }
        settings
    }
}

fn seed() -> u64 {
    u64::from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos())
}

/// Numbers that only look random (`SplitMix64`): the same seed, the same run.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 1) % sides
    }

    async fn pause(&mut self, longest: u64) {
        tokio::time::sleep(Duration::from_millis(self.roll(longest + 1))).await;
    }
}

async fn run(settings: Settings) {
    eprintln!("mqtt soak: {settings:?}");
    let started = Instant::now();
    let mut world = World::build().await;
    let load = Load::start(&world, &settings);
    let mut kills = Kills::new(&settings);
    for number in 1..=settings.kills {
        kills.one(&mut world).await;
        if number % 10 == 0 || number == settings.kills {
            eprintln!("mqtt soak: {number} kills, {} acknowledged, {:?}", load.acknowledged(), started.elapsed());
        }
    }
    let log = load.stop().await;
    let found = Found::look(&world, &log, &kills.lapses).await;
    eprintln!("\n{}\n", found.table(&settings, &kills, &log, started.elapsed()));
    found.assert_nothing_is_wrong();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_broker_or_server_acknowledged_is_there_once() {
    run(Settings::short()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes some minutes: make soak"]
async fn the_long_run() {
    run(Settings::long(&std::env::var("AFFERENT_SOAK").unwrap_or_default())).await;
}
