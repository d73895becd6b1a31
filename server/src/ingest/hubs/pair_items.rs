//! Which item of a payload is which, when two versions of a hub's decoder split it; pure.

use super::item::Item;

/// Places in both lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Paired {
    /// The same item in both: place before, place after; in the order of the second list.
    pub pairs: Vec<(usize, usize)>,
    /// Items that only the first list has.
    pub gone: Vec<usize>,
    /// Items that only the second list has.
    pub new: Vec<usize>,
}

/// Pairs items that are equal; then those of one device with the hub's own id; then those of equal content; then those of one
/// device in the order of the payload, if there are as many.
pub fn pair_items(before: &[Item], after: &[Item]) -> Paired {
    let mut left: Vec<usize> = (0..before.len()).collect();
    let mut new: Vec<usize> = (0..after.len()).collect();
    let mut pairs = Vec::new();
    let mut matching = |is_it: &dyn Fn(&Item, &Item) -> bool, left: &mut Vec<usize>, new: &mut Vec<usize>| {
        new.retain(|place| {
            let Some(item) = after.get(*place) else { return false };
            let found = left.iter().position(|old| before.get(*old).is_some_and(|old| is_it(old, item)));
            if let Some(found) = found {
                pairs.push((left.remove(found), *place));
            }
            found.is_none()
        });
    };
    matching(&|old, new| old == new, &mut left, &mut new);
    matching(&|old, new| old.id.is_some() && old.id == new.id && old.address == new.address, &mut left, &mut new);
    matching(&|old, new| old.content == new.content, &mut left, &mut new);
    let mut addresses: Vec<&str> = new.iter().filter_map(|place| Some(after.get(*place)?.address.as_str())).collect();
    addresses.sort_unstable();
    addresses.dedup();
    for address in addresses {
        let of = |items: &[Item], places: &[usize]| {
            places.iter().filter(|place| items.get(**place).is_some_and(|item| item.address == address)).count()
        };
        if of(before, &left) == of(after, &new) {
            matching(&|old, new| old.address == address && new.address == address, &mut left, &mut new);
        }
    }
    pairs.sort_unstable_by_key(|(_, after)| *after);
    Paired { pairs, gone: left, new }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::hubs::Content;

    fn item(address: &str, id: Option<&str>, reason: &str) -> Item {
        Item {
            address: address.to_owned(),
            id: id.map(str::to_owned),
            device_type: None,
            content: Content::Nothing(reason.to_owned()),
        }
    }

    #[test]
    fn an_item_is_known_by_itself_its_id_its_content_and_its_place() {
        let before = [item("A", None, "1"), item("B", Some("x"), "2"), item("C", None, "3"), item("D", None, "4")];
        let after = [item("B", Some("x"), "20"), item("D", None, "40"), item("E", None, "3"), item("A", None, "1")];
        let paired = pair_items(&before, &after);
        assert_eq!(paired.pairs, [(1, 0), (3, 1), (2, 2), (0, 3)]);
        assert_eq!((paired.gone, paired.new), (vec![], vec![]));
    }

    #[test]
    fn where_one_of_several_is_missing_nothing_is_guessed() {
        let before = [item("A", None, "1"), item("A", None, "2"), item("A", None, "3")];
        let after = [item("A", None, "20"), item("A", None, "1")];
        let paired = pair_items(&before, &after);
        assert_eq!((paired.pairs, paired.gone, paired.new), (vec![(0, 1)], vec![1, 2], vec![0]));
    }
}
