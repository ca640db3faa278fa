using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Injection;

/// <summary>What code a process has mapped, as far as it matters to who wants to have a call made there. As of the moment
/// when it was read.</summary>
internal sealed class TargetCode
{
    // What may hold a lock, or be half through a change, that loading a library needs: the loader, the C library, who
    // walks the loader's list to unwind, and ourselves.
    private static readonly string[] s_delicate =
        ["ld-linux", "ld-2.", "ld.so", "libc.so", "libc-2.", "libpthread", "libdl.", "libdl-2.", "libgcc_s", "libunwind", "libnativeheap"];

    private readonly IMemoryReader _memory;
    private readonly List<Module> _modules = [];

    private TargetCode(IMemoryReader memory, IReadOnlyList<MemoryMapping> mappings)
    {
        _memory = memory;
        Mappings = mappings;
    }

    private sealed record Module(ulong Start, ulong End, ModuleKind Kind);

    /// <summary>All mappings by rising address.</summary>
    public IReadOnlyList<MemoryMapping> Mappings { get; }

    /// <summary>Where <see cref="CallCode"/> stands, or can be put: the unused end of a page of code.</summary>
    public ulong Cave { get; private set; }

    /// <summary>dlopen and its like; null: the C library is none that we know.</summary>
    public LoaderFunctions? Functions { get; private set; }

    /// <summary>Whether another library, or the program, has an allocator of its own.</summary>
    public bool HasOwnAllocator { get; private set; }

    /// <summary>What stands at the address where a signal's handler returns to, in the C library.</summary>
    public IReadOnlySet<ulong> SignalReturns { get; private set; } = new HashSet<ulong>();

    /// <summary>Reads it.</summary>
    /// <param name="memory">The process's.</param>
    /// <param name="mappings">Its mappings.</param>
    public static TargetCode Read(IMemoryReader memory, IReadOnlyList<MemoryMapping> mappings)
    {
        var code = new TargetCode(memory, mappings);
        ulong open = 0, symbol = 0, error = 0, number = 0;
        var returns = new HashSet<ulong>();
        foreach (var mapping in mappings.Where(mapping => mapping is { Offset: 0, IsReadable: true } && mapping.Path.StartsWith('/')))
        {
            if (LoadedImage.Read(memory, mapping.Start) is not { CodeEnd: not 0 } image)
            {
                continue;
            }

            var name = Path.GetFileName(mapping.Path);
            var isDelicate = s_delicate.Any(start => name.StartsWith(start, StringComparison.Ordinal));
            var isAllocator = !isDelicate && image.Find("malloc") != 0;
            code.HasOwnAllocator |= isAllocator;
            foreach (var part in mappings.Where(part => part.IsExecutable && part.Path == mapping.Path && part.Inode == mapping.Inode))
            {
                code._modules.Add(new Module(
                    part.Start, part.End, isAllocator ? ModuleKind.Allocator : isDelicate ? DelicateKind(name) : ModuleKind.Ordinary));
                code.LookForCave(image, part);
            }

            if (name.StartsWith("libc.so", StringComparison.Ordinal) || name.StartsWith("libc-2.", StringComparison.Ordinal))
            {
                number = image.Find("__errno_location");
                error = error != 0 ? error : image.Find("dlerror");
                open = open != 0 ? open : First(image, "dlopen", "__libc_dlopen_mode");
                symbol = symbol != 0 ? symbol : First(image, "dlsym", "__libc_dlsym");
                code.FindSignalReturns(mappings, mapping, returns);
            }
            else if (name.StartsWith("libdl.", StringComparison.Ordinal) || name.StartsWith("libdl-2.", StringComparison.Ordinal))
            {
                // Until glibc 2.33 it was there; the C library's own take its place where it is not loaded.
                open = image.Find("dlopen") is var own and not 0 ? own : open;
                symbol = image.Find("dlsym") is var ownSymbol and not 0 ? ownSymbol : symbol;
                error = image.Find("dlerror") is var ownError and not 0 ? ownError : error;
            }
        }

        code.SignalReturns = returns;
        code.Functions = open != 0 && symbol != 0 && number != 0 ? new LoaderFunctions(open, symbol, error, number) : null;
        return code;
    }

    /// <summary>Whether a thread that executes there may be made to load a library.</summary>
    public bool IsOrdinary(ulong address)
    {
        if (IsInCave(address))
        {
            return false;
        }

        var module = _modules.Find(module => address >= module.Start && address < module.End);
        return module is not null
            ? module.Kind == ModuleKind.Ordinary
            : Find(address) is { IsExecutable: true } mapping && !mapping.Path.StartsWith("[v", StringComparison.Ordinal); // compiled at run time
    }

    /// <summary>Whether a system call from there is the program's, or the C library's on its behalf.</summary>
    public bool MayCallKernel(ulong address) => !IsInCave(address)
        && (IsOrdinary(address) || _modules.Exists(module =>
            address >= module.Start && address < module.End && module.Kind == ModuleKind.CLibrary));

    /// <summary>Whether an address is in <see cref="CallCode"/>.</summary>
    public bool IsInCave(ulong address) => Cave != 0 && address >= Cave && address <= Cave + (ulong)CallCode.Bytes.Length;

    /// <summary>The mapping that holds an address; null: none does.</summary>
    public MemoryMapping? Find(ulong address) =>
        Mappings.FirstOrDefault(mapping => address >= mapping.Start && address < mapping.End);

    private static ulong First(LoadedImage image, string name, string otherwise) =>
        image.Find(name) is var address and not 0 ? address : image.Find(otherwise);

    private static ModuleKind DelicateKind(string name) =>
        name.StartsWith("libc", StringComparison.Ordinal) || name.StartsWith("libpthread", StringComparison.Ordinal)
            ? ModuleKind.CLibrary
            : ModuleKind.Delicate;

    // Behind the end of a segment the rest of its last page is zeros, or a piece of the file that nobody looks for there.
    private void LookForCave(LoadedImage image, MemoryMapping part)
    {
        const ulong align = 16;
        var length = CallCode.Bytes.Length;
        var start = (image.CodeEnd + align - 1) & ~(align - 1);
        if (Cave != 0 || image.CodeEnd <= part.Start || start + (ulong)length > part.End || part.IsWritable)
        {
            return;
        }

        Span<byte> there = stackalloc byte[length];
        if (_memory.Read(start, there) == length
            && (there.SequenceEqual(CallCode.Bytes) || there.IndexOfAnyExcept((byte)0) < 0))
        {
            Cave = start;
        }
    }

    // mov $15, %rax; syscall: what the kernel has a handler return to.
    private void FindSignalReturns(IReadOnlyList<MemoryMapping> mappings, MemoryMapping first, HashSet<ulong> returns)
    {
        const int most = 8 << 20;
        ReadOnlySpan<byte> pattern = [0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];
        foreach (var part in mappings.Where(part => part.IsExecutable && part.Path == first.Path && part.Size < most))
        {
            var bytes = new byte[part.Size];
            var rest = bytes.AsSpan(0, _memory.Read(part.Start, bytes));
            for (var at = part.Start; rest.IndexOf(pattern) is var found and >= 0; at += (ulong)found + 1, rest = rest[(found + 1)..])
            {
                returns.Add(at + (ulong)found);
            }
        }
    }

    private enum ModuleKind
    {
        /// <summary>The program's own, or a library like any other.</summary>
        Ordinary,

        /// <summary>A thread in it may be in the middle of what a call needs; in a system call it may wait for the program.</summary>
        CLibrary,

        /// <summary>A thread in it is left alone.</summary>
        Delicate,

        /// <summary>As <see cref="Delicate"/>: it exports malloc.</summary>
        Allocator,
    }
}
