using Microsoft.Diagnostics.Runtime;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Managed;

/// <summary>
/// Names code of a runtime that tells nothing itself (DOTNET_EnableDiagnostics=0), by reading its memory with ClrMD. The
/// process is neither stopped nor traced, so an answer may be missing, and code that was given up before is not found.
/// Not for several threads.
/// </summary>
/// <param name="pid">The process, in our pid namespace.</param>
/// <param name="code">Takes what was found.</param>
public sealed class RuntimeLookup(int pid, CodeMap code) : IDisposable
{
    private const int MostFailures = 5;

    private DataTarget? _process; // whose reader the target's stands before
    private DataTarget? _target;
    private ClrRuntime? _runtime;
    private int _failures; // in a row

    /// <summary>Why the last look-up broke off; null when it did not.</summary>
    public string? Problem { get; private set; }

    /// <summary>Looks addresses up; takes up to a second, and some 0.2 ms for each method.</summary>
    /// <param name="addresses">Return addresses.</param>
    /// <returns>False when it broke off: what was asked may be asked again, but after some failures in a row nothing is
    /// tried any more.</returns>
    public bool Find(IEnumerable<ulong> addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        if (_failures >= MostFailures)
        {
            return false;
        }

        try
        {
            var mappings = new ProcessReader(pid).ReadMappings() ?? [];
            var stubs = new StubPages(mappings);
            if (mappings.Count > 0)
            {
                code.UpdateImages(mappings);
            }

            // Methods compiled since are not found by a runtime that was opened before, whatever is flushed.
            Dispose();
            _runtime = Open();
            var (start, size) = (0UL, 0UL); // of the code found last: what lies in it, too, is not asked for again
            foreach (var inside in addresses.Select(address => address - 1).Order())
            {
                if (inside - start >= size && !stubs.Contains(inside))
                {
                    (start, size) = Take(_runtime, inside);
                }
            }

            _failures = 0;
            Problem = null;
            return true;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // What ClrMD makes of memory that changes under it has no bounds that anybody states.
            _failures++;
            Problem = $"its runtime's memory could not be read for names ({EventStream.OneLine(error)})";
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _runtime?.Dispose();
        _target?.Dispose();
        _process?.Dispose();
        _runtime = null;
        _target = null;
        _process = null;
    }

    // The version that ClrMD reads from the file is 0.0, by which it finds no library; the one beside it is the one.
    private ClrRuntime Open()
    {
        _process = DataTarget.AttachToProcess(pid, suspend: false);
        _target = new DataTarget(new MortalReader(_process.DataReader), new DataTargetOptions());
        var info = _target.ClrVersions.FirstOrDefault()
            ?? throw new NotSupportedException("there is no runtime in it that ClrMD knows");
        return info.CreateRuntime(DataAccessLibrary.Find(info.ModuleInfo.FileName, pid), ignoreMismatch: true);
    }

    // Returns the bounds of the code that the address lies in, nothing when there is none.
    private (ulong Start, ulong Size) Take(ClrRuntime runtime, ulong address)
    {
        if (runtime.GetMethodByInstructionPointer(address) is not { } method)
        {
            return default;
        }

        var hot = method.HotColdInfo;
        var isCold = hot.ColdSize != 0 && address >= hot.ColdStart && address - hot.ColdStart < hot.ColdSize;
        var (start, size) = isCold ? (hot.ColdStart, hot.ColdSize) : (hot.HotStart, hot.HotSize);
        if (address < start || address - start >= size)
        {
            // The bounds are those of the method's latest code, the address lies in what was compiled before.
            (start, size) = (address, 1);
        }

        var module = method.Type?.Module;
        if (module?.Name is { Length: > 0 } path)
        {
            code.AddAssembly(module.Address, new LoadedAssembly(code.Intern(path), null));
        }

        const int rowMask = 0xFFFFFF; // stubs have none
        code.Add(new MethodCode
        {
            Start = start,
            Size = size,
            MethodId = method.MethodDesc,
            ModuleId = module?.Address ?? 0,
            Token = (method.MetadataToken & rowMask) == 0 ? 0 : method.MetadataToken,
            Namespace = code.Intern(method.Type?.Name is { } type && type != "(dynamicClass)" ? type : ""),
            Name = code.Intern(method.Name ?? "?"),
            Signature = code.Intern(ParametersOf(method.Signature)),
            Tier = TierOf(method),
        });
        return (start, size);
    }

    private static CodeTier TierOf(ClrMethod method) => method.CompilationType switch
    {
        MethodCompilationType.Ngen => CodeTier.ReadyToRun,
        _ when (method.MetadataToken & 0xFFFFFF) == 0 => CodeTier.Dynamic,
        _ => CodeTier.Unknown,
    };

    // Namespace.Type.Method(System.String, Int32) → as the runtime's events have it: "  (System.String,Int32)".
    private static string ParametersOf(string? signature)
    {
        var open = signature?.LastIndexOf('(') ?? -1;
        return open < 0 ? "" : "  " + signature![open..].Replace(", ", ",", StringComparison.Ordinal);
    }
}
