//! How often codes may be tried: by one address, and by all together. Decision 0021 has the arithmetic.

use std::net::{IpAddr, Ipv6Addr};

use crate::config::Rate;
use crate::error::Error;
use crate::platform::rate_limit::RateLimit;

/// One address, or one network of 64 bits of IPv6, which is what a single customer has.
const ONE: Rate = Rate { per_second: 1, burst: 10 };
/// All together, in this process.
const ALL: Rate = Rate { per_second: 10, burst: 100 };

/// The limits. Right codes count as wrong ones do: who is over the limit does not learn whether a code is right.
pub struct PairingLimits {
    one: RateLimit<IpAddr>,
    all: RateLimit<()>,
}

impl Default for PairingLimits {
    fn default() -> Self {
        Self { one: RateLimit::new(ONE), all: RateLimit::new(ALL) }
    }
}

impl PairingLimits {
    /// Counts one try.
    ///
    /// # Errors
    /// 429 with the seconds to wait.
    pub fn check(&self, peer: Option<IpAddr>) -> Result<(), Error> {
        // First the address: one that is turned away takes nothing from the others' share.
        if let Some(peer) = peer {
            self.one.check(&network(peer))?;
        }
        self.all.check(&())
    }

    /// Forgets addresses that have been quiet.
    pub fn forget_quiet(&self) {
        self.one.forget_quiet();
    }
}

fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn one_address_runs_out_before_the_others() {
        let limits = PairingLimits::default();
        let (first, second): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        let other: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        for _ in 0..5 {
            assert!(limits.check(Some(first)).is_ok() && limits.check(Some(second)).is_ok());
        }
        assert_eq!(limits.check(Some(first)).unwrap_err().status(), 429, "both are one network");
        assert!(limits.check(Some(other)).is_ok());
    }

    #[test]
    fn all_together_run_out_too() {
        let limits = PairingLimits::default();
        let tries = (0..=u8::MAX).map(|last| limits.check(Some(IpAddr::from([192, 0, 2, last]))));
        let allowed = tries.filter(Result::is_ok).count();
        assert!((100..200).contains(&allowed), "{allowed}");
    }
}
