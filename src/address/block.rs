//! The special-purpose blocks (RFC 6890), once: for judging addresses, and for hosts that judge by lists of blocks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AddressKind, AddressRule};

/// A block of addresses: the first `prefix_length` bits of `address` are those of everything in it, the others are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    /// Its first address.
    pub address: IpAddr,
    /// At most 32 for IPv4 and 128 for IPv6.
    pub prefix_length: u8,
}

impl AddressBlock {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix_length: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix_length }
    }

    const fn v6(segments: [u16; 8], prefix_length: u8) -> Self {
        let [a, b, c, d, e, f, g, h] = segments;
        Self { address: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), prefix_length }
    }

    /// Whether the address is in the block. IPv6 addresses that embed IPv4 ones are not in IPv4's blocks.
    pub fn contains(self, address: IpAddr) -> bool {
        let prefix = u32::from(self.prefix_length);
        match (self.address, address) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                (block.to_bits() ^ address.to_bits()).checked_shr(32_u32.saturating_sub(prefix)).unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                (block.to_bits() ^ address.to_bits()).checked_shr(128_u32.saturating_sub(prefix)).unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }

    fn covers(self, other: Self) -> bool {
        self.prefix_length <= other.prefix_length && self.contains(other.address)
    }
}

/// An [`AddressRule`] for hosts that know nothing but blocks: permitted is what is in a permitted block and in no refused one. IPv6 addresses that
/// embed IPv4 ones are refused whatever they embed; in everything else this is [`AddressRule::permits`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressBlocks {
    /// Blocks that hold permitted addresses.
    pub permitted: Vec<AddressBlock>,
    /// Exceptions of them.
    pub refused: Vec<AddressBlock>,
}

impl AddressRule {
    /// The same rule as blocks.
    pub fn blocks(self) -> AddressBlocks {
        let everything_else = AddressBlock::v4(0, 0, 0, 0, 0);
        let all = || SPECIAL_IPV4.iter().chain(SPECIAL_IPV6).copied();
        let mut permitted = vec![everything_else];
        permitted.extend(
            all()
                .filter(|(block, kind)| block.address.is_ipv6() && self.permits_kind(*kind))
                .map(|(block, _)| block),
        );
        let candidates: Vec<AddressBlock> = all()
            .filter(|(_, kind)| !self.permits_kind(*kind))
            .map(|(block, _)| block)
            .chain(EMBEDDING_IPV6)
            .filter(|block| permitted.iter().any(|permitted| permitted.covers(*block)))
            .collect();
        let refused = candidates
            .iter()
            .filter(|block| !candidates.iter().any(|other| other != *block && other.covers(**block)))
            .copied()
            .collect();
        AddressBlocks { permitted, refused }
    }
}

/// What is not [`AddressKind::Public`]; the first block that contains an address decides.
pub(super) const SPECIAL_IPV4: &[(AddressBlock, AddressKind)] = &[
    // Alibaba's and Azure's.
    (AddressBlock::v4(100, 100, 100, 200, 32), AddressKind::Metadata),
    (AddressBlock::v4(168, 63, 129, 16, 32), AddressKind::Metadata),
    (AddressBlock::v4(0, 0, 0, 0, 32), AddressKind::Unspecified),
    (AddressBlock::v4(0, 0, 0, 0, 8), AddressKind::Reserved),
    (AddressBlock::v4(10, 0, 0, 0, 8), AddressKind::Private),
    (AddressBlock::v4(100, 64, 0, 0, 10), AddressKind::Private),
    (AddressBlock::v4(127, 0, 0, 0, 8), AddressKind::Loopback),
    (AddressBlock::v4(169, 254, 0, 0, 16), AddressKind::LinkLocal),
    (AddressBlock::v4(172, 16, 0, 0, 12), AddressKind::Private),
    (AddressBlock::v4(192, 0, 0, 0, 24), AddressKind::Reserved),
    (AddressBlock::v4(192, 0, 2, 0, 24), AddressKind::Reserved),
    (AddressBlock::v4(192, 88, 99, 0, 24), AddressKind::Reserved),
    (AddressBlock::v4(192, 168, 0, 0, 16), AddressKind::Private),
    (AddressBlock::v4(198, 18, 0, 0, 15), AddressKind::Reserved),
    (AddressBlock::v4(198, 51, 100, 0, 24), AddressKind::Reserved),
    (AddressBlock::v4(203, 0, 113, 0, 24), AddressKind::Reserved),
    (AddressBlock::v4(224, 0, 0, 0, 4), AddressKind::Multicast),
    (AddressBlock::v4(240, 0, 0, 0, 4), AddressKind::Reserved),
];

/// The first block that contains an address decides; one in no block is [`AddressKind::Reserved`]: IPv4-compatible ::/96, local NAT64 64:ff9b:1::/48
/// (its embedding depends on a network's own prefix), discard 100::/64, site-local fec0::/10, and whatever is not assigned (RFC 4291 §2.4).
pub(super) const SPECIAL_IPV6: &[(AddressBlock, AddressKind)] = &[
    (AddressBlock::v6([0; 8], 128), AddressKind::Unspecified),
    (AddressBlock::v6([0, 0, 0, 0, 0, 0, 0, 1], 128), AddressKind::Loopback),
    // Amazon's and Google's.
    (AddressBlock::v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), AddressKind::Metadata),
    (AddressBlock::v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), AddressKind::Metadata),
    (AddressBlock::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), AddressKind::Private),
    (AddressBlock::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), AddressKind::LinkLocal),
    (AddressBlock::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), AddressKind::Multicast),
    // Protocol assignments (RFC 2928), documentation (RFC 3849, RFC 9637).
    (AddressBlock::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), AddressKind::Reserved),
    (AddressBlock::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), AddressKind::Reserved),
    (AddressBlock::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), AddressKind::Reserved),
    (AddressBlock::v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3), AddressKind::Public),
];

/// Mapped (RFC 4291 §2.5.5.2), NAT64 (RFC 6052 §2.1), 6to4 (RFC 3056 §2), Teredo (RFC 4380 §4).
const EMBEDDING_IPV6: [AddressBlock; 4] = [
    AddressBlock::v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
    AddressBlock::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
    AddressBlock::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    AddressBlock::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),
];

/// Of the first block that contains the address.
pub(super) fn kind(blocks: &[(AddressBlock, AddressKind)], address: IpAddr) -> Option<AddressKind> {
    blocks.iter().find(|(block, _)| block.contains(address)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn blocks_say_the_same_as_the_rule_but_for_embedded_addresses() {
        use AddressRule::*;
        let edges = SPECIAL_IPV4.iter().chain(SPECIAL_IPV6).flat_map(|(block, _)| match block.address {
            IpAddr::V4(first) => {
                let last = first.to_bits() | u32::MAX.checked_shr(block.prefix_length.into()).unwrap_or(0);
                [first.to_bits(), last, first.to_bits().wrapping_sub(1), last.wrapping_add(1)]
                    .map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
            }
            IpAddr::V6(first) => {
                let last = first.to_bits() | u128::MAX.checked_shr(block.prefix_length.into()).unwrap_or(0);
                [first.to_bits(), last, first.to_bits().wrapping_sub(1), last.wrapping_add(1)]
                    .map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
            }
        });
        let others = ["8.8.8.8", "2606:4700::1111", "fd00:ec2::253", "::8.8.8.8", "64:ff9b:1::1", "100::1"];
        let addresses: Vec<IpAddr> = edges.chain(others.map(|address| address.parse().unwrap())).collect();
        assert!(addresses.len() > 100);
        for rule in [PublicOnly, Private, LoopbackOnlyPlusPublic] {
            let blocks = rule.blocks();
            let permits = |address: IpAddr| {
                blocks.permitted.iter().any(|block| block.contains(address))
                    && !blocks.refused.iter().any(|block| block.contains(address))
            };
            for address in &addresses {
                let embedding = EMBEDDING_IPV6.iter().any(|block| block.contains(*address));
                assert_eq!(permits(*address), !embedding && rule.permits(*address), "{rule:?} {address}");
            }
            for address in
                ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:0:808:808::f7f7:f7f7"]
            {
                assert!(!permits(address.parse().unwrap()), "{rule:?} {address}");
            }
        }
    }
}
