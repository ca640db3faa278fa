// Call sites of take() in Rust without its standard library; see README.md.
#![no_std]
extern "C" {
    fn take(bytes: usize) -> *mut u8;
    fn stop() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unsafe { stop() }
}

pub struct Heap<T> {
    pub start: *mut T,
}

impl<T> Heap<T> {
    #[inline(always)]
    fn grow(bytes: usize) -> *mut u8 {
        unsafe { take(bytes).wrapping_add(8) }
    }

    #[inline(never)]
    pub fn reserve(count: usize) -> Heap<T> {
        let start = Heap::<T>::grow(count * core::mem::size_of::<T>());
        Heap { start: start as *mut T }
    }
}

trait Stack {
    fn pile(&self, count: usize) -> usize;
}

impl Stack for u16 {
    #[inline(never)]
    fn pile(&self, count: usize) -> usize {
        let raise = |extra: usize| Heap::<u64>::grow(count + extra) as usize;
        raise(*self as usize)
    }
}

#[no_mangle]
pub extern "C" fn yard_run(count: usize) -> usize {
    let bytes = Heap::<u32>::reserve(count);
    bytes.start as usize + 7u16.pile(count)
}
