//! A guest's memory: every access is checked, every length bounds what the host takes.

use smallvec::SmallVec;
use wasmtime::Caller;

use crate::errno::Errno;
use crate::process::state::State;

/// Most buffers in one call, as `IOV_MAX` of Linux.
const MAX_BUFFERS: u32 = 1024;
/// Longest path, as `PATH_MAX` of Linux.
pub(crate) const MAX_PATH: u32 = 4096;

/// The linear memory of the calling guest.
pub(crate) struct Mem<'a>(&'a mut [u8]);

/// The caller's memory and state, both at once.
pub(crate) fn parts<'a>(
    caller: &'a mut Caller<'_, State>,
) -> wasmtime::Result<(Mem<'a>, &'a mut State)> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        // Only while the module's start function runs.
        None => caller
            .get_export("memory")
            .and_then(wasmtime::Extern::into_memory)
            .ok_or_else(|| wasmtime::Error::msg("the module exports no memory"))?,
    };
    let (bytes, state) = memory.data_and_store_mut(caller);
    Ok((Mem(bytes), state))
}

/// Buffer list as the guest gave it.
pub(crate) type Ranges = SmallVec<[(usize, usize); 8]>;

fn range(ptr: u32, len: u32) -> Result<(usize, usize), Errno> {
    let start = usize::try_from(ptr).map_err(|_| Errno::FAULT)?;
    let len = usize::try_from(len).map_err(|_| Errno::FAULT)?;
    Ok((start, start.checked_add(len).ok_or(Errno::FAULT)?))
}

impl Mem<'_> {
    pub(crate) fn bytes(&self, ptr: u32, len: u32) -> Result<&[u8], Errno> {
        let (start, end) = range(ptr, len)?;
        self.0.get(start..end).ok_or(Errno::FAULT)
    }

    pub(crate) fn bytes_mut(&mut self, ptr: u32, len: u32) -> Result<&mut [u8], Errno> {
        let (start, end) = range(ptr, len)?;
        self.0.get_mut(start..end).ok_or(Errno::FAULT)
    }

    /// A path: bounded, without NUL.
    pub(crate) fn path(&self, ptr: u32, len: u32) -> Result<&[u8], Errno> {
        if len >= MAX_PATH {
            return Err(Errno::NAMETOOLONG);
        }
        let path = self.bytes(ptr, len)?;
        if path.contains(&0) {
            return Err(Errno::INVAL);
        }
        if path.is_empty() {
            return Err(Errno::NOENT);
        }
        Ok(path)
    }

    fn array<const N: usize>(&self, ptr: u32) -> Result<[u8; N], Errno> {
        let len = u32::try_from(N).map_err(|_| Errno::FAULT)?;
        self.bytes(ptr, len)?.try_into().map_err(|_| Errno::FAULT)
    }

    pub(crate) fn u8(&self, ptr: u32) -> Result<u8, Errno> {
        Ok(u8::from_le_bytes(self.array(ptr)?))
    }

    pub(crate) fn u16(&self, ptr: u32) -> Result<u16, Errno> {
        Ok(u16::from_le_bytes(self.array(ptr)?))
    }

    pub(crate) fn u32(&self, ptr: u32) -> Result<u32, Errno> {
        Ok(u32::from_le_bytes(self.array(ptr)?))
    }

    pub(crate) fn u64(&self, ptr: u32) -> Result<u64, Errno> {
        Ok(u64::from_le_bytes(self.array(ptr)?))
    }

    pub(crate) fn put(&mut self, ptr: u32, data: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(data.len()).map_err(|_| Errno::FAULT)?;
        self.bytes_mut(ptr, len)?.copy_from_slice(data);
        Ok(())
    }

    pub(crate) fn put_u32(&mut self, ptr: u32, value: u32) -> Result<(), Errno> {
        self.put(ptr, &value.to_le_bytes())
    }

    pub(crate) fn put_u64(&mut self, ptr: u32, value: u64) -> Result<(), Errno> {
        self.put(ptr, &value.to_le_bytes())
    }

    /// A number of bytes transferred.
    pub(crate) fn put_size(&mut self, ptr: u32, value: usize) -> Result<(), Errno> {
        self.put_u32(ptr, u32::try_from(value).map_err(|_| Errno::OVERFLOW)?)
    }

    /// A list of buffers; all of them lie within the memory.
    pub(crate) fn ranges(&self, ptr: u32, count: u32) -> Result<Ranges, Errno> {
        if count > MAX_BUFFERS {
            return Err(Errno::INVAL);
        }
        let table = self.bytes(ptr, count.checked_mul(8).ok_or(Errno::FAULT)?)?;
        let mut ranges = Ranges::new();
        for entry in table.chunks_exact(8) {
            let word = |at: usize| -> Result<u32, Errno> {
                let bytes = entry.get(at..at + 4).ok_or(Errno::FAULT)?;
                Ok(u32::from_le_bytes(
                    bytes.try_into().map_err(|_| Errno::FAULT)?,
                ))
            };
            let (start, end) = range(word(0)?, word(4)?)?;
            if end > self.0.len() {
                return Err(Errno::FAULT);
            }
            ranges.push((start, end));
        }
        Ok(ranges)
    }

    /// The buffers, to be read from.
    pub(crate) fn slices(&self, ranges: &Ranges) -> Result<SmallVec<[&[u8]; 8]>, Errno> {
        ranges
            .iter()
            .map(|(start, end)| self.0.get(*start..*end).ok_or(Errno::FAULT))
            .collect()
    }

    /// The buffers, to be written to. Buffers that overlap an earlier one end the list:
    /// the guest sees a short read.
    pub(crate) fn slices_mut(&mut self, ranges: &Ranges) -> SmallVec<[&mut [u8]; 8]> {
        if let [(start, end)] = ranges.as_slice() {
            return self.0.get_mut(*start..*end).into_iter().collect();
        }
        let mut usable = ranges.len();
        for (n, (start, end)) in ranges.iter().enumerate() {
            let clash = |(s, e): &(usize, usize)| start < e && s < end;
            if start < end && ranges.iter().take(n).any(clash) {
                usable = n;
                break;
            }
        }
        // Cut the memory up in the order of the addresses, then put the pieces back into
        // the order of the list.
        let mut order: SmallVec<[usize; 8]> = (0..usable).collect();
        order.sort_unstable_by_key(|n| ranges.get(*n).copied().unwrap_or_default());
        let mut pieces: SmallVec<[(usize, &mut [u8]); 8]> = SmallVec::new();
        let mut rest = &mut *self.0;
        let mut offset = 0usize;
        for n in order {
            let (start, end) = ranges.get(n).copied().unwrap_or_default();
            if start == end {
                pieces.push((n, Default::default()));
                continue;
            }
            let Some((_, tail)) = rest.split_at_mut_checked(start - offset) else {
                break;
            };
            let Some((piece, tail)) = tail.split_at_mut_checked(end - start) else {
                break;
            };
            pieces.push((n, piece));
            rest = tail;
            offset = end;
        }
        pieces.sort_unstable_by_key(|(n, _)| *n);
        pieces.into_iter().map(|(_, piece)| piece).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn list(entries: &[(u32, u32)]) -> Vec<u8> {
        entries
            .iter()
            .flat_map(|(p, l)| [p.to_le_bytes(), l.to_le_bytes()].concat())
            .collect()
    }

    fn lengths(entries: &[(u32, u32)]) -> Result<Vec<usize>, Errno> {
        let mut memory = vec![0u8; 256];
        let table = list(entries);
        memory[..table.len()].copy_from_slice(&table);
        let mut mem = Mem(&mut memory);
        let ranges = mem.ranges(0, entries.len() as u32)?;
        Ok(mem.slices_mut(&ranges).iter().map(|s| s.len()).collect())
    }

    #[test]
    fn buffer_lists() {
        for (entries, expected) in [
            (&[(100, 10)][..], Ok(vec![10])),
            (&[(120, 10), (100, 10)], Ok(vec![10, 10])),
            (&[(100, 10), (105, 10)], Ok(vec![10])),
            (&[(100, 0), (100, 10), (100, 0)], Ok(vec![0, 10, 0])),
            (&[(250, 10)], Err(Errno::FAULT)),
            (&[(u32::MAX, u32::MAX)], Err(Errno::FAULT)),
        ] {
            assert_eq!(lengths(entries), expected, "{entries:?}");
        }
        let mem = Mem(&mut []);
        assert_eq!(mem.ranges(0, 1025).err(), Some(Errno::INVAL));
        assert_eq!(mem.path(0, 5000).err(), Some(Errno::NAMETOOLONG));
        assert_eq!(mem.bytes(1, 0).err(), Some(Errno::FAULT));
    }
}
