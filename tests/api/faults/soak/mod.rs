//! The fault suite: two server processes on one Postgres, devices that send without pause, and kills of everything.
//!
//! The clients write down what was acknowledged, on disk before they go on. When the kills are over that log is compared
//! with Postgres and with what the EHR got: nothing lost, nothing twice, nothing under another patient. A short run is part
//! of the tests; `make soak` runs the long one.

mod check;
mod clients;
mod ehr;
mod kills;
mod world;

use std::time::{Duration, Instant};

use self::check::Found;
use self::clients::Load;
use self::kills::Kills;
use self::world::World;

/// How long and how hard.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Kills, of all kinds in turn.
    kills: usize,
    /// Seed of their order and places; printed, so that a run can be repeated.
    seed: u64,
    /// The longest pause between a recovery and the next kill, in ms.
    pause: u64,
    /// The longest pause of a device between two payloads, in ms.
    pace: u64,
    /// Payloads that one patient sends with a device before the next one wears it.
    worn: u32,
}

impl Settings {
    fn short() -> Self {
        Self { kills: kills::KINDS.len(), seed: seed(), pause: 200, pace: 60, worn: 20 }
    }

    /// `kills=200 seed=7 pause=3000 pace=300 worn=200`, in any order.
    fn long(arguments: &str) -> Self {
        let mut settings = Self { kills: 210, seed: seed(), pause: 3000, pace: 300, worn: 100 };
        for argument in arguments.split_whitespace() {
            let (name, value) = argument.split_once('=').expect("arguments are name=value");
            let value: u64 = value.parse().expect("values are whole numbers");
            match name {
                "kills" => settings.kills = usize::try_from(value).unwrap(),
                "seed" => settings.seed = value,
                "pause" => settings.pause = value,
                "pace" => settings.pace = value,
                "worn" => settings.worn = u32::try_from(value).unwrap(),
                other => panic!("there is no argument {other}: kills, seed, pause (ms), pace (ms), worn"),
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
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap() % sides
    }

    async fn pause(&mut self, longest: u64) {
        let pause = self.roll(usize::try_from(longest).unwrap() + 1);
        tokio::time::sleep(Duration::from_millis(pause.try_into().unwrap())).await;
    }
}

async fn run(settings: Settings) {
    eprintln!("soak: {settings:?}");
    let started = Instant::now();
    let world = World::build(settings.worn).await;
    let load = Load::start(&world, &settings);
    let mut kills = Kills::new(&settings);
    for number in 1..=settings.kills {
        kills.one(&world, &load).await;
        if number % 10 == 0 || number == settings.kills {
            eprintln!("soak: {number} kills, {} acknowledged, {:?}", load.acknowledged(), started.elapsed());
        }
    }
    let log = load.stop().await;
    let found = Found::look(&world, &log).await;
    eprintln!("\n{}\n", found.table(&settings, &kills, &log, started.elapsed()));
    found.assert_nothing_is_wrong();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_run() {
    run(Settings::short()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes: make soak"]
async fn the_long_run() {
    run(Settings::long(&std::env::var("AFFERENT_SOAK").unwrap_or_default())).await;
}
