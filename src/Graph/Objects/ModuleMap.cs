using NativeHeap.Memory.Elf;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Graph.Objects;

/// <summary>The binaries of a process, by address, with the names of their functions and data. For one thread.</summary>
internal sealed class ModuleMap : IDisposable
{
    private const ulong PageBytes = 4096;
    private const string Deleted = " (deleted)";

    private readonly List<(ulong Start, ulong End, Module Module)> _ranges = [];
    private readonly List<Module> _modules = [];

    /// <param name="mappings">Of the process, by rising address.</param>
    /// <param name="root">The folder that its paths begin at: empty for our own, or /proc/PID/root.</param>
    public ModuleMap(IReadOnlyList<MemoryMapping> mappings, string root)
    {
        var byPath = new Dictionary<string, Module>(StringComparer.Ordinal);
        for (var i = 0; i < mappings.Count; i++)
        {
            var mapping = mappings[i];
            if (mapping.Inode == 0 || !mapping.Path.StartsWith('/') || mapping.Path.StartsWith("/dev/", StringComparison.Ordinal)
                || mapping.Path.StartsWith("/memfd:", StringComparison.Ordinal))
            {
                continue;
            }

            if (!byPath.TryGetValue(mapping.Path, out var module))
            {
                var path = mapping.Path.EndsWith(Deleted, StringComparison.Ordinal)
                    ? mapping.Path[..^Deleted.Length] : mapping.Path;
                byPath.Add(mapping.Path, module = new Module(path, root, mapping));
                _modules.Add(module);
            }

            // What the file does not fill follows its data as memory without a name.
            var isFollowed = mapping.IsWritable && i + 1 < mappings.Count && mappings[i + 1].Start == mapping.End
                && mappings[i + 1] is { Path.Length: 0, IsWritable: true };
            _ranges.Add((mapping.Start, isFollowed ? mappings[i + 1].End : mapping.End, module));
        }
    }

    /// <summary>The lowest address that belongs to a binary.</summary>
    public ulong Low => _ranges.Count == 0 ? 0 : _ranges[0].Start;

    /// <summary>One past the highest.</summary>
    public ulong High => _ranges.Count == 0 ? 0 : _ranges.Max(range => range.End);

    /// <summary>The binary that an address belongs to, with its data.</summary>
    public Module? Find(ulong address)
    {
        int low = 0, high = _ranges.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _ranges[middle].Start <= address ? (middle + 1, high) : (low, middle);
        }

        return low > 0 && address < _ranges[low - 1].End ? _ranges[low - 1].Module : null;
    }

    /// <inheritdoc/>
    public void Dispose() => _modules.ForEach(module => module.Dispose());

    /// <summary>A binary. Its file is read when it is asked for a name.</summary>
    internal sealed class Module(string path, string root, MemoryMapping first) : IDisposable
    {
        private bool _isOpen;
        private ElfFile? _file;
        private ElfSymbolTable? _functions;
        private ElfSymbolTable? _data;

        /// <summary>As the process knows it.</summary>
        public string Path => path;

        /// <summary>The file; null when it cannot be read.</summary>
        public ElfFile? File
        {
            get
            {
                if (!_isOpen)
                {
                    _isOpen = true;
                    _file = ElfFile.TryOpen(root + path, out _) ?? ElfFile.TryOpen(path, out _);
                    Bias = FindBias();
                }

                return _file;
            }
        }

        /// <summary>Address less ELF virtual address; valid after <see cref="File"/>.</summary>
        public ulong Bias { get; private set; }

        /// <summary>The function at an address: its symbol's name.</summary>
        public ElfSymbol? Function(ulong address) =>
            File is null ? null : (_functions ??= File.ReadFunctions()).Find(address - Bias);

        /// <summary>The variable or table at an address: its symbol.</summary>
        public ElfSymbol? Data(ulong address) => File is null ? null : (_data ??= File.ReadData()).Find(address - Bias);

        /// <summary>What the file has at an address.</summary>
        public int Read(ulong address, Span<byte> to) => File?.ReadVirtual(address - Bias, to) ?? 0;

        /// <inheritdoc/>
        public void Dispose() => _file?.Dispose();

        private ulong FindBias()
        {
            foreach (var load in _file?.Segments ?? [])
            {
                var page = load.Offset & ~(PageBytes - 1);
                if (load.Kind == ElfSegment.Load && page <= first.Offset && first.Offset < load.Offset + load.FileBytes)
                {
                    return first.Start - (first.Offset - page) - (load.Address & ~(PageBytes - 1));
                }
            }

            return first.Start;
        }
    }
}
