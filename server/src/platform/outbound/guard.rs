//! Which addresses outbound calls may reach: only public ones, and the operator's exceptions. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

/// Why an address or URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Not `http` or `https`, or no host.
    Scheme,
    /// Credentials inside the URL: they would end up in logs.
    UserInfo,
    /// 127.0.0.0/8, `::1`.
    Loopback,
    /// RFC 1918, `fc00::/7`, and site-local `fec0::/10`.
    Private,
    /// 169.254.0.0/16, `fe80::/10`.
    LinkLocal,
    /// Carrier-grade NAT, 100.64.0.0/10 (RFC 6598).
    SharedAddressSpace,
    /// Where clouds hand out credentials of the machine.
    CloudMetadata,
    /// 0.0.0.0/8, ::.
    Unspecified,
    /// Multicast and broadcast.
    Multicast,
    /// Addresses for documentation (RFC 5737, 3849, 9637).
    Documentation,
    /// Benchmarking (RFC 2544, 5180).
    Benchmarking,
    /// Anything else that the IANA registries do not call globally reachable.
    Reserved,
}

impl Rule {
    /// In words, for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheme => "not an http:// or https:// URL with a host",
            Self::UserInfo => "a user name or password inside the URL",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::SharedAddressSpace => "an address of a carrier's NAT",
            Self::CloudMetadata => "a cloud metadata address",
            Self::Unspecified => "an unspecified address",
            Self::Multicast => "a multicast or broadcast address",
            Self::Documentation => "a documentation address",
            Self::Benchmarking => "a benchmarking address",
            Self::Reserved => "a reserved address",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The rules and the operator's exceptions.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allow: Vec<IpNet>,
}

impl Guard {
    /// Public addresses, and these networks although they are not public.
    #[must_use]
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Checks what a URL shows by itself: scheme, credentials, and an address written in place of a name. The HTTP client
    /// does not ask its resolver about those. Names are checked when they are resolved.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn check_url(&self, url: &Url) -> Result<(), Rule> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Rule::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Rule::UserInfo);
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.check(IpAddr::V6(address)),
            Some(Host::Domain(_)) => Ok(()),
            None => Err(Rule::Scheme),
        }
    }

    /// Checks one address, and the IPv4 address that is embedded in it, if there is one.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn check(&self, address: IpAddr) -> Result<(), Rule> {
        let embedded = match address {
            IpAddr::V6(address) => embedded_v4(address).map(IpAddr::V4),
            IpAddr::V4(_) => None,
        };
        let rule = match embedded.or(Some(address)) {
            Some(IpAddr::V4(address)) => rule_v4(address),
            Some(IpAddr::V6(address)) => rule_v6(address),
            None => None,
        };
        match rule {
            None => Ok(()),
            Some(rule) if self.excepts(address, rule) => Ok(()),
            Some(rule) if embedded.is_some_and(|embedded| self.excepts(embedded, rule)) => Ok(()),
            Some(rule) => Err(rule),
        }
    }

    /// Metadata services give away the machine's own credentials: a wide exception such as 169.254.0.0/16 is not meant to
    /// open them, so only one that names exactly this address does.
    fn excepts(&self, address: IpAddr, rule: Rule) -> bool {
        self.allow.iter().any(|net| {
            net.contains(&address) && (rule != Rule::CloudMetadata || net.prefix_len() == net.max_prefix_len())
        })
    }
}

/// The IPv4 address that packets to an IPv6 address end up at: IPv4-mapped, NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let from = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => from(g, h),
        [0x2002, ..] => from(b, c),
        _ => None,
    }
}

/// IANA IPv4 Special-Purpose Address Registry, and the clouds' metadata services.
fn rule_v4(address: Ipv4Addr) -> Option<Rule> {
    match address.octets() {
        // AWS, GCP, Azure, DigitalOcean, … ; AWS ECS; Alibaba; Azure's wire server; Oracle.
        [169, 254, 169, 254]
        | [169, 254, 170, 2 | 23]
        | [100, 100, 100, 200]
        | [168, 63, 129, 16]
        | [192, 0, 0, 192] => Some(Rule::CloudMetadata),
        [0, ..] => Some(Rule::Unspecified),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Rule::Private),
        [100, 64..=127, ..] => Some(Rule::SharedAddressSpace),
        [127, ..] => Some(Rule::Loopback),
        [169, 254, ..] => Some(Rule::LinkLocal),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some(Rule::Documentation),
        [192, 0, 0, _] | [192, 88, 99, _] => Some(Rule::Reserved),
        [198, 18..=19, ..] => Some(Rule::Benchmarking),
        [224..=239, ..] | [255, 255, 255, 255] => Some(Rule::Multicast),
        [240..=255, ..] => Some(Rule::Reserved),
        _ => None,
    }
}

/// IANA IPv6 Special-Purpose Address Registry: only `2000::/3` is global unicast, less its special blocks.
fn rule_v6(address: Ipv6Addr) -> Option<Rule> {
    if address.is_loopback() {
        return Some(Rule::Loopback);
    }
    if address.is_unspecified() {
        return Some(Rule::Unspecified);
    }
    match address.segments() {
        // AWS and GCP.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Some(Rule::CloudMetadata),
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Some(Rule::Private),
        [0xfe80..=0xfebf, ..] => Some(Rule::LinkLocal),
        [0xff00..=0xffff, ..] => Some(Rule::Multicast),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(Rule::Documentation),
        [0x2001, 2, 0, ..] => Some(Rule::Benchmarking),
        // IETF protocol assignments, Teredo (2001::/32) among them.
        [0x2001, 0..=0x1ff, ..] => Some(Rule::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Rule::Reserved),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn verdict(guard: &Guard, address: &str) -> Option<Rule> {
        guard.check(address.parse().unwrap()).err()
    }

    #[test]
    fn only_public_addresses_pass() {
        let guard = Guard::default();
        let table: &[(Option<Rule>, &[&str])] = &[
            (
                None,
                &[
                    "1.1.1.1",
                    "93.184.215.14",
                    "172.15.255.255",
                    "172.32.0.1",
                    "100.63.0.1",
                    "100.128.0.1",
                    "192.0.1.1",
                    "2606:4700::1111",
                    "2a00:1450:4001::200e",
                ],
            ),
            (
                Some(Rule::Loopback),
                &["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
            ),
            (
                Some(Rule::Private),
                &[
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "fc00::1",
                    "fdff::1",
                    "fec0::1",
                    "::ffff:10.1.2.3",
                    "2002:c0a8:101::1",
                    "64:ff9b::a00:1",
                ],
            ),
            (Some(Rule::LinkLocal), &["169.254.0.1", "fe80::1", "febf::1"]),
            (Some(Rule::SharedAddressSpace), &["100.64.0.1", "100.127.255.255"]),
            (
                Some(Rule::CloudMetadata),
                &[
                    "169.254.169.254",
                    "169.254.170.2",
                    "100.100.100.200",
                    "168.63.129.16",
                    "192.0.0.192",
                    "fd00:ec2::254",
                    "::ffff:169.254.169.254",
                ],
            ),
            (Some(Rule::Unspecified), &["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"]),
            (Some(Rule::Multicast), &["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1"]),
            (Some(Rule::Documentation), &["192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "3fff::1"]),
            (Some(Rule::Benchmarking), &["198.18.0.1", "198.19.255.255", "2001:2::1"]),
            (
                Some(Rule::Reserved),
                &[
                    "192.0.0.1",
                    "192.88.99.1",
                    "240.0.0.1",
                    "::7f00:1",
                    "2001::1",
                    "64:ff9b:1::1",
                    "100::1",
                    "5f00::1",
                    "4000::1",
                ],
            ),
        ];
        for (expected, addresses) in table {
            for address in *addresses {
                assert_eq!(verdict(&guard, address), *expected, "{address}");
            }
        }
    }

    #[test]
    fn exceptions_open_what_they_name_and_nothing_else() {
        let guard = Guard::new(vec![
            "127.0.0.0/8".parse().unwrap(),
            "fd00:1::/32".parse().unwrap(),
            "169.254.0.0/16".parse().unwrap(),
        ]);
        for open in ["127.0.0.1", "::ffff:127.0.0.1", "fd00:1::7", "169.254.1.1"] {
            assert_eq!(verdict(&guard, open), None, "{open}");
        }
        assert_eq!(verdict(&guard, "::1"), Some(Rule::Loopback));
        assert_eq!(verdict(&guard, "10.0.0.1"), Some(Rule::Private));
        assert_eq!(verdict(&guard, "fd00:2::7"), Some(Rule::Private));
        assert_eq!(
            verdict(&guard, "169.254.169.254"),
            Some(Rule::CloudMetadata),
            "a wide exception does not open metadata"
        );
        let exact = Guard::new(vec!["169.254.169.254/32".parse().unwrap()]);
        assert_eq!(verdict(&exact, "169.254.169.254"), None);
    }

    #[test]
    fn urls_show_their_tricks() {
        let guard = Guard::default();
        for (url, expected) in [
            ("https://ehr.example.org/fhir", Ok(())),
            ("http://ehr.example.org:8080/fhir", Ok(())),
            ("ftp://ehr.example.org/", Err(Rule::Scheme)),
            ("file:///etc/passwd", Err(Rule::Scheme)),
            ("data:text/plain,x", Err(Rule::Scheme)),
            ("https://user@ehr.example.org/", Err(Rule::UserInfo)),
            ("https://user:secret@ehr.example.org/", Err(Rule::UserInfo)),
            ("http://127.0.0.1/", Err(Rule::Loopback)),
            ("http://127.1/", Err(Rule::Loopback)),
            ("http://2130706433/", Err(Rule::Loopback)),
            ("http://0x7f.0.0.1/", Err(Rule::Loopback)),
            ("http://0177.0.0.1/", Err(Rule::Loopback)),
            ("http://[::1]/", Err(Rule::Loopback)),
            ("http://[::ffff:7f00:1]/", Err(Rule::Loopback)),
            ("http://169.254.169.254/latest/meta-data", Err(Rule::CloudMetadata)),
        ] {
            assert_eq!(guard.check_url(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
