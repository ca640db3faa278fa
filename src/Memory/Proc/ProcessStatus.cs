using System.Globalization;

namespace NativeHeap.Memory.Proc;

/// <summary>The useful part of /proc/PID/status. Fields the kernel does not give are null.</summary>
public sealed class ProcessStatus
{
    private readonly Dictionary<string, string> _fields = new(StringComparer.Ordinal);

    private ProcessStatus()
    {
    }

    /// <summary>Process group leader, which is what others call the pid.</summary>
    public int? ProcessId => Integer("Tgid");

    /// <summary>Parent.</summary>
    public int? ParentPid => Integer("PPid");

    /// <summary>Who traces it; 0: nobody.</summary>
    public int? TracerPid => Integer("TracerPid");

    /// <summary>Threads.</summary>
    public int? ThreadCount => Integer("Threads");

    /// <summary>Real, effective, saved and file system user.</summary>
    public IReadOnlyList<uint>? UserIds => Integers("Uid");

    /// <summary>Real, effective, saved and file system group.</summary>
    public IReadOnlyList<uint>? GroupIds => Integers("Gid");

    /// <summary>The pid in each pid namespace, the outermost first.</summary>
    public IReadOnlyList<uint>? NamespacePids => Integers("NSpid");

    /// <summary>no_new_privs: setuid bits and file capabilities give nothing.</summary>
    public bool? NoNewPrivileges => Integer("NoNewPrivs") is { } value ? value != 0 : null;

    /// <summary>0: none, 1: strict, 2: a filter.</summary>
    public int? Seccomp => Integer("Seccomp");

    /// <summary>How many filters there are, those that were inherited included (Linux 5.9).</summary>
    public int? SeccompFilterCount => Integer("Seccomp_filters");

    /// <summary>Whether its first thread has a shadow stack (Linux 6.6); false where the kernel knows none.</summary>
    public bool HasShadowStack =>
        _fields.GetValueOrDefault("x86_Thread_features")?.Contains("shstk", StringComparison.Ordinal) == true;

    /// <summary>Signals with handlers: signal n is bit n - 1. The whole process's.</summary>
    public ulong? CaughtSignals => Hex("SigCgt");

    /// <summary>Signals that the thread has blocked, likewise.</summary>
    public ulong? BlockedSignals => Hex("SigBlk");

    /// <summary>Effective capabilities, a bit each.</summary>
    public ulong? EffectiveCapabilities => Hex("CapEff");

    /// <summary>Permitted capabilities.</summary>
    public ulong? PermittedCapabilities => Hex("CapPrm");

    /// <summary>Ambient capabilities.</summary>
    public ulong? AmbientCapabilities => Hex("CapAmb");

    /// <summary>Capabilities that file capabilities may give.</summary>
    public ulong? BoundingCapabilities => Hex("CapBnd");

    /// <summary>Resident memory, bytes.</summary>
    public long? ResidentBytes => KiB("VmRSS");

    /// <summary>Most resident memory ever, bytes.</summary>
    public long? PeakResidentBytes => KiB("VmHWM");

    /// <summary>Address space, bytes.</summary>
    public long? VirtualBytes => KiB("VmSize");

    /// <summary>Swapped-out memory, bytes.</summary>
    public long? SwappedBytes => KiB("VmSwap");

    /// <summary>Parses the file's text; what is no "name: value" line is passed over.</summary>
    public static ProcessStatus Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var status = new ProcessStatus();
        foreach (var line in text.Split('\n'))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0)
            {
                status._fields.TryAdd(line[..colon], line[(colon + 1)..].Trim());
            }
        }

        return status;
    }

    private static CultureInfo Invariant => CultureInfo.InvariantCulture;

    private int? Integer(string name) =>
        int.TryParse(_fields.GetValueOrDefault(name), NumberStyles.None, Invariant, out var value) ? value : null;

    private ulong? Hex(string name) =>
        ulong.TryParse(_fields.GetValueOrDefault(name), NumberStyles.HexNumber, Invariant, out var value) ? value : null;

    private long? KiB(string name)
    {
        var text = _fields.GetValueOrDefault(name);
        return text is not null
            && text.EndsWith(" kB", StringComparison.Ordinal)
            && long.TryParse(text.AsSpan(0, text.Length - 3), NumberStyles.None, Invariant, out var value)
            && value <= long.MaxValue / 1024
            ? value * 1024
            : null;
    }

    private List<uint>? Integers(string name)
    {
        if (_fields.GetValueOrDefault(name) is not { } text)
        {
            return null;
        }

        var values = new List<uint>();
        foreach (var word in text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            if (!uint.TryParse(word, NumberStyles.None, Invariant, out var value))
            {
                return null;
            }

            values.Add(value);
        }

        return values.Count > 0 ? values : null;
    }
}
