using System.Buffers.Binary;
using System.Text;
using NativeHeap.Memory.Elf;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Memory.Holding;

/// <summary>
/// A process as a core dump of the kernel, of gdb's gcore or of .NET's createdump has it (core(5); notes as in
/// fs/binfmt_elf.c of Linux). The file is not trusted: whatever it counts is bounded. Reading is safe from several threads.
/// </summary>
public sealed class CoreDump : IHeldProcess, IMemoryReader
{
    private const int MostNoteBytes = 64 << 20;
    private const uint StatusNote = 1; // NT_PRSTATUS: one for each thread, the one that died first
    private const uint ProcessNote = 3; // NT_PRPSINFO
    private const uint FilesNote = 0x46494C45; // NT_FILE
    private const uint ExtendedStateNote = 0x202; // NT_X86_XSTATE, after the thread's NT_PRSTATUS
    private const int RegisterWords = 27; // struct user_regs_struct
    private const int GeneralWords = 16; // of them that may hold pointers of the program

    private readonly ElfFile _file;
    private readonly ElfSegment[] _loads;
    private readonly List<HeldThread> _threads = [];
    private readonly List<MappedFile> _files = [];

    private CoreDump(ElfFile file)
    {
        _file = file;
        _loads = [.. file.Segments
            .Where(segment => segment.Kind == ElfSegment.Load && segment.Address + segment.MemoryBytes > segment.Address)
            .OrderBy(segment => segment.Address)];
        foreach (var segment in file.Segments.Where(segment => segment.Kind == ElfSegment.Note))
        {
            ReadNotes(segment);
        }

        Pid = Pid == 0 && _threads.Count > 0 ? _threads[0].Tid : Pid;
        Mappings = [.. _loads.Select(Describe)];
    }

    private readonly record struct MappedFile(ulong Start, ulong End, ulong Offset, string Path);

    /// <inheritdoc/>
    public int Pid { get; private set; }

    /// <inheritdoc/>
    public IReadOnlyList<HeldThread> Threads => _threads;

    /// <inheritdoc/>
    public IReadOnlyList<MemoryMapping> Mappings { get; }

    /// <inheritdoc/>
    public IMemoryReader Memory => this;

    /// <inheritdoc/>
    public IReadOnlyList<string> Notes => [];

    /// <inheritdoc/>
    public bool IsThere => true;

    /// <summary>Opens a core dump.</summary>
    /// <param name="path">The file.</param>
    /// <param name="problem">What is wrong, to be said after the file's name: it is none, it is cut short, or of another kind
    /// of machine; null on success.</param>
    public static CoreDump? TryOpen(string path, out string? problem)
    {
        var file = ElfFile.TryOpen(path, out problem);
        if (file is null)
        {
            problem = $"is no core dump: {problem}";
            return null;
        }

        problem = file switch
        {
            { Header.Kind: not ElfKind.Core } => "is no core dump, but a program or a library",
            { Header: { Is64Bit: true, IsLittleEndian: true, Machine: ElfMachine.X86_64 } } => Missing(file),
            _ => "is a core dump of another kind of machine; look at it on such a one",
        };
        if (problem is null)
        {
            return new CoreDump(file);
        }

        file.Dispose();
        return null;
    }

    /// <inheritdoc/>
    public PageMap OpenPages() => PageMap.Everything();

    /// <inheritdoc/>
    public int Read(ulong address, Span<byte> destination)
    {
        var done = 0;
        while (done < destination.Length)
        {
            var index = IndexOf(address + (ulong)done);
            if (index < 0)
            {
                break;
            }

            var offset = address + (ulong)done - _loads[index].Address;
            if (offset >= _loads[index].FileBytes)
            {
                break;
            }

            var most = (int)Math.Min((ulong)(destination.Length - done), _loads[index].FileBytes - offset);
            var count = _file.ReadAt(_loads[index].Offset + offset, destination.Slice(done, most));
            done += count;
            if (count < most)
            {
                break;
            }
        }

        return done;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static string? Missing(ElfFile file)
    {
        var needed = file.Segments.Where(segment => segment.FileBytes > 0)
            .Select(segment => segment.Offset + segment.FileBytes).DefaultIfEmpty().Max();
        return file.Segments.Count < file.Header.ProgramHeaderCount || needed > (ulong)file.Source.Length
            ? $"is cut short: it has {file.Source.Length} of {needed} bytes (a limit on core files, or a full disk?)"
            : needed == 0 ? "holds no memory" : null;
    }

    // The last one that begins at or before an address, and does not end before it.
    private int IndexOf(ulong address)
    {
        int low = 0, high = _loads.Length;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _loads[middle].Address <= address ? (middle + 1, high) : (low, middle);
        }

        return low > 0 && address - _loads[low - 1].Address < _loads[low - 1].MemoryBytes ? low - 1 : -1;
    }

    private MemoryMapping Describe(ElfSegment load)
    {
        var (start, end) = (load.Address, load.Address + load.MemoryBytes);
        var file = _files.FirstOrDefault(file => file.Start <= start && start < file.End);
        var isStack = _threads.FirstOrDefault(thread => thread.Tid == Pid)?.Registers is { } registers
            && registers.StackPointer >= start && registers.StackPointer < end;
        return new MemoryMapping(
            start,
            end,
            (load.Flags & 4) != 0,
            (load.Flags & 2) != 0,
            (load.Flags & 1) != 0,
            false,
            file.Path is null ? 0 : file.Offset + (start - file.Start),
            file.Path is null ? 0UL : 1,
            file.Path ?? (isStack ? "[stack]" : string.Empty));
    }

    private void ReadNotes(ElfSegment segment)
    {
        const int header = 12;
        var bytes = new byte[(int)Math.Min(segment.FileBytes, MostNoteBytes)];
        ReadOnlySpan<byte> rest = bytes.AsSpan(0, _file.ReadAt(segment.Offset, bytes));
        while (rest.Length >= header)
        {
            var nameBytes = Padded(BinaryPrimitives.ReadUInt32LittleEndian(rest));
            var size = BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
            var kind = BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]);
            if (nameBytes + Padded(size) > (ulong)(rest.Length - header))
            {
                break;
            }

            TakeNote(kind, rest.Slice(header + (int)nameBytes, (int)size));
            rest = rest[(header + (int)(nameBytes + Padded(size)))..];
        }
    }

    private static ulong Padded(uint size) => ((ulong)size + 3) & ~3UL;

    private void TakeNote(uint kind, ReadOnlySpan<byte> note)
    {
        switch (kind)
        {
            case StatusNote:
                AddThread(note);
                break;
            case ProcessNote when note.Length >= 28:
                Pid = BinaryPrimitives.ReadInt32LittleEndian(note[24..]); // pr_pid of struct elf_prpsinfo
                break;
            case ExtendedStateNote when _threads.Count > 0 && _threads[^1].Registers is { } registers:
                ulong[] words = [.. registers.Words.Span, .. Words(note)];
                _threads[^1] = _threads[^1] with { Registers = registers with { Words = words } };
                break;
            case FilesNote:
                AddFiles(note);
                break;
            default:
                break;
        }
    }

    private void AddThread(ReadOnlySpan<byte> note)
    {
        const int pid = 32; // pr_pid and pr_reg of struct elf_prstatus
        const int general = 112;
        if (note.Length < general + (RegisterWords * sizeof(ulong)))
        {
            return;
        }

        var words = Words(note.Slice(general, RegisterWords * sizeof(ulong)));
        var isInCall = (long)words[15] >= 0; // orig_rax
        _threads.Add(new HeldThread(
            BinaryPrimitives.ReadInt32LittleEndian(note[pid..]),
            new ThreadRegisters(words[19], words[16], words[21], isInCall, words.AsMemory(0, GeneralWords))));
    }

    private static ulong[] Words(ReadOnlySpan<byte> bytes)
    {
        var words = new ulong[bytes.Length / sizeof(ulong)];
        for (var i = 0; i < words.Length; i++)
        {
            words[i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(i * sizeof(ulong))..]);
        }

        return words;
    }

    // How many, bytes of a page; for each first address, end, page in the file; then a path for each.
    private void AddFiles(ReadOnlySpan<byte> note)
    {
        const int entry = 24;
        if (note.Length < 16)
        {
            return;
        }

        var count = BinaryPrimitives.ReadUInt64LittleEndian(note);
        var page = BinaryPrimitives.ReadUInt64LittleEndian(note[8..]);
        if (count > (ulong)(note.Length - 16) / entry)
        {
            return;
        }

        var names = note[(16 + ((int)count * entry))..];
        for (var i = 0; i < (int)count; i++)
        {
            var at = note[(16 + (i * entry))..];
            var end = names.IndexOf((byte)0);
            if (end < 0)
            {
                return;
            }

            _files.Add(new MappedFile(
                BinaryPrimitives.ReadUInt64LittleEndian(at),
                BinaryPrimitives.ReadUInt64LittleEndian(at[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(at[16..]) * page,
                Encoding.UTF8.GetString(names[..end])));
            names = names[(end + 1)..];
        }
    }
}
