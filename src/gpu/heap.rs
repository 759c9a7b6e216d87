//! How much memory an adapter has, which WebGPU does not tell: asked of Vulkan itself.
#![allow(unsafe_code)] // as_hal lends the Vulkan handles that wgpu holds; nothing is changed or kept through them.

/// Bytes of the largest heap local to the device; none where the backend does not tell.
#[cfg(not(any(target_vendor = "apple", target_family = "wasm")))]
pub(crate) fn local_bytes(adapter: &wgpu::Adapter) -> Option<u64> {
    /// `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT`.
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the handle is only read, and dropped at the end of this function, while `adapter`
    // lives.
    let handle = unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() }?;
    let instance = handle.shared_instance().raw_instance();
    // SAFETY: the physical device is of this instance, and both live as long as `handle`.
    let memory = unsafe { instance.get_physical_device_memory_properties(handle.raw_physical_device()) };
    memory.memory_heaps[..memory.memory_heap_count as usize]
        .iter()
        .filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0)
        .map(|heap| heap.size)
        .max()
}

/// None: neither Metal nor a browser tells.
#[cfg(any(target_vendor = "apple", target_family = "wasm"))]
pub(crate) fn local_bytes(_: &wgpu::Adapter) -> Option<u64> {
    None
}
