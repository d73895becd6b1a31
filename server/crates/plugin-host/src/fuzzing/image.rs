//! Answers as a guest's memory holds them (the component model's canonical ABI), made of a fuzzer's bytes: well formed by the
//! types of the contract, of registered and of other words, and here and there with a pointer, a length or a tag that lies.

use wit_parser::{Int, Resolve, SizeAlign, Type, TypeDefKind, TypeId};

/// Bytes of memory that an answer may take.
pub(super) const ROOM: usize = 192 * 1024;
/// The most elements of a list.
const ELEMENTS: usize = 5;
/// Numbers at which rules begin and end.
const EDGES: [i64; 14] =
    [0, 1, -1, 64, 65, -64, -65, 18, 100, 2_000, i32::MAX as i64, i32::MIN as i64, i64::MAX, i64::MIN];

/// The contract's types, and where their fields lie.
pub(super) struct Contract {
    pub(super) resolve: Resolve,
    sizes: SizeAlign,
}

impl Contract {
    pub(super) fn new(resolve: Resolve) -> Self {
        let mut sizes = SizeAlign::default();
        sizes.fill(&resolve);
        Self { resolve, sizes }
    }

    fn type_named(&self, name: &str) -> Option<TypeId> {
        self.resolve.interfaces.iter().find_map(|(_, interface)| {
            interface.types.get(name).copied().filter(|_| interface.name.as_deref() == Some("types"))
        })
    }

    /// The memory from `base` on that holds a value of this type.
    pub(super) fn image(&self, name: &str, base: usize, bytes: &[u8], words: &[String]) -> Vec<u8> {
        let mut image = Image { contract: self, base, rest: bytes, words, memory: Vec::new() };
        if let Some(id) = self.type_named(name) {
            let ty = Type::Id(id);
            let at = image.room(self.sizes.size(&ty).size_wasm32());
            image.put(&ty, at);
        }
        image.memory
    }
}

struct Image<'a> {
    contract: &'a Contract,
    base: usize,
    rest: &'a [u8],
    words: &'a [String],
    memory: Vec<u8>,
}

impl Image<'_> {
    fn next(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, behind)) => {
                self.rest = behind;
                *first
            }
            None => 0,
        }
    }

    /// Memory for so many bytes; all alignments of the contract are at most 8.
    fn room(&mut self, bytes: usize) -> usize {
        let at = self.memory.len().next_multiple_of(8);
        self.memory.resize((at + bytes).min(ROOM), 0);
        at
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.memory.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn number(&mut self) -> i64 {
        let byte = self.next();
        match EDGES.get(usize::from(byte)) {
            Some(edge) => *edge,
            None => i64::from(byte) - 128,
        }
    }

    /// A pointer and a length, of which either may lie.
    fn slice(&mut self, at: usize, offset: usize, length: usize) {
        let truth = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (mut pointer, mut length) = (truth(self.base + offset), truth(length));
        match self.next() {
            0xFF => pointer = u32::from_le_bytes([self.next(), self.next(), self.next(), self.next()]),
            0xFE => length = u32::from_le_bytes([self.next(), self.next(), self.next(), self.next()]),
            0xFD => length = length.wrapping_mul(1 << 12),
            _ => {}
        }
        self.write(at, &pointer.to_le_bytes());
        self.write(at + 4, &length.to_le_bytes());
    }

    /// A word that is registered, or the fuzzer's own bytes, which need not be UTF-8.
    fn text(&mut self) -> Vec<u8> {
        let choice = usize::from(self.next());
        if choice < 0xE0 {
            let word = choice.checked_rem(self.words.len()).and_then(|index| self.words.get(index));
            return word.map(|word| word.clone().into_bytes()).unwrap_or_default();
        }
        let length = usize::from(self.next()) % 64;
        let (text, behind) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = behind;
        text.to_vec()
    }

    fn put(&mut self, ty: &Type, at: usize) {
        match ty {
            Type::Bool | Type::U8 | Type::S8 => {
                let byte = self.next();
                self.write(at, &[byte]);
            }
            Type::U32 | Type::S32 => {
                let number = self.number().to_le_bytes();
                self.write(at, &number[..4]);
            }
            Type::U64 | Type::S64 => {
                let number = self.number().to_le_bytes();
                self.write(at, &number);
            }
            Type::String => {
                let text = self.text();
                let offset = self.room(text.len());
                self.write(offset, &text);
                self.slice(at, offset, text.len());
            }
            Type::Id(id) => self.put_defined(*id, at),
            _ => {}
        }
    }

    fn put_defined(&mut self, id: TypeId, at: usize) {
        let contract = self.contract;
        let Some(definition) = contract.resolve.types.get(id) else { return };
        match &definition.kind {
            TypeDefKind::Type(ty) => self.put(ty, at),
            TypeDefKind::Record(record) => {
                for (offset, ty) in contract.sizes.field_offsets(record.fields.iter().map(|field| &field.ty)) {
                    self.put(ty, at + offset.size_wasm32());
                }
            }
            TypeDefKind::List(element) => {
                let size = contract.sizes.size(element).size_wasm32();
                let count = usize::from(self.next()) % (ELEMENTS + 1);
                let offset = self.room(count * size);
                for index in 0..count {
                    self.put(element, offset + index * size);
                }
                self.slice(at, offset, count);
            }
            TypeDefKind::Enum(cases) => {
                let tag = self.tag(cases.cases.len());
                self.write(at, &[tag]);
            }
            TypeDefKind::Option(ty) => self.put_case(&[None, Some(ty)], at),
            TypeDefKind::Variant(variant) => {
                self.put_case(&variant.cases.iter().map(|case| case.ty.as_ref()).collect::<Vec<_>>(), at);
            }
            _ => {}
        }
    }

    fn put_case(&mut self, cases: &[Option<&Type>], at: usize) {
        let tag = self.tag(cases.len());
        self.write(at, &[tag]);
        if let Some(Some(ty)) = cases.get(usize::from(tag)) {
            let offset = self.contract.sizes.payload_offset(Int::U8, cases.iter().copied());
            self.put(ty, at + offset.size_wasm32());
        }
    }

    /// One of so many cases, seldom another.
    fn tag(&mut self, cases: usize) -> u8 {
        match self.next() {
            0xFF => 0xFF,
            byte => u8::try_from(usize::from(byte) % cases.max(1)).unwrap_or_default(),
        }
    }
}
