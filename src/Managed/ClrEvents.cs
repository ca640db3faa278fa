using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Parsers.Clr;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Managed;

/// <summary>Fills a <see cref="CodeMap"/> from the events of one stream. On the thread that processes the stream.</summary>
internal sealed class ClrEvents
{
    private const int LongestText = 1 << 16;

    private const long ImagesAgeMs = 50;

    private readonly CodeMap _map;
    private int _pid;
    private bool _hasNewModules;
    private long _imagesReadMs;

    // A method's IL map follows its load on the same thread.
    private readonly Dictionary<(int Thread, long Method, long ReJit), MethodCode> _waiting = [];

    // At the end of a rundown it stands before it.
    private readonly Dictionary<(int Thread, long Method, long ReJit), IlMap?> _early = [];

    /// <param name="map">To fill.</param>
    /// <param name="pid">The process, in our pid namespace; 0: the one that the events say.</param>
    internal ClrEvents(CodeMap map, int pid)
    {
        _map = map;
        _pid = pid;
    }

    /// <summary>The process; 0 as long as nobody has said.</summary>
    internal int Pid => _pid;

    /// <summary>Most methods whose IL map is waited for at one time.</summary>
    private static int MostWaiting => 1 << 14;

    internal void Subscribe(TraceEventDispatcher source)
    {
        var live = source.Clr;
        live.MethodLoadVerbose += data => Load(data, TimeOf(data));
        live.MethodUnloadVerbose += data =>
            _map.Unload((ulong)data.MethodStartAddress, (ulong)data.MethodID, TimeOf(data));
        live.MethodILToNativeMap += TakeMap;
        live.MethodR2RGetEntryPoint += TakeEntryPoint;
        live.LoaderModuleLoad += TakeModule;
        var rundown = new ClrRundownTraceEventParser(source);
        rundown.MethodDCStartVerbose += data => Load(data, 0);
        rundown.MethodDCStopVerbose += LoadAfterMap;
        rundown.MethodILToNativeMapDCStart += TakeMap;
        rundown.MethodILToNativeMapDCStop += TakeEarlyMap;
        rundown.LoaderModuleDCStart += TakeModule;
        rundown.LoaderModuleDCStop += TakeModule;
        source.AllEvents += data =>
        {
            _pid = _pid == 0 ? data.ProcessID : _pid;
            LookForImages();
        };
    }

    // The runtime's own clock: CLOCK_MONOTONIC. The stream's relative time would need the moment of its start.
#pragma warning disable CS0618 // "discouraged"
    private static ulong TimeOf(TraceEvent data) => (ulong)Math.Max(0, data.TimeStampQPC);
#pragma warning restore CS0618

    private static CodeTier TierOf(MethodLoadUnloadVerboseTraceData data) => data.OptimizationTier switch
    {
        OptimizationTier.ReadyToRun or OptimizationTier.PreJIT => CodeTier.ReadyToRun,
        _ when data.IsDynamic => CodeTier.Dynamic,
        OptimizationTier.MinOptJitted => CodeTier.MinOpts,
        OptimizationTier.Optimized => CodeTier.Optimized,
        OptimizationTier.QuickJitted => CodeTier.Tier0,
        OptimizationTier.OptimizedTier1 => CodeTier.Tier1,
        OptimizationTier.OptimizedTier1OSR => CodeTier.Osr,
        OptimizationTier.QuickJittedInstrumented => CodeTier.Tier0Instrumented,
        OptimizationTier.OptimizedTier1Instrumented => CodeTier.Tier1Instrumented,
        _ => CodeTier.Unknown,
    };

    private void Load(MethodLoadUnloadVerboseTraceData data, ulong loadNs)
    {
        if (_waiting.Count >= MostWaiting)
        {
            _waiting.Clear();
        }

        _waiting[(data.ThreadID, data.MethodID, data.ReJITID)] = Add(data, loadNs);
    }

    private void LoadAfterMap(MethodLoadUnloadVerboseTraceData data)
    {
        var code = Add(data, 0);
        if (_early.Remove((data.ThreadID, data.MethodID, data.ReJITID), out var map))
        {
            _map.SetIlMap(code, map);
        }
    }

    private MethodCode Add(MethodLoadUnloadVerboseTraceData data, ulong loadNs)
    {
        return _map.Add(new MethodCode
        {
            Start = (ulong)data.MethodStartAddress,
            Size = (uint)Math.Max(0, data.MethodSize),
            LoadNs = loadNs,
            MethodId = (ulong)data.MethodID,
            ModuleId = (ulong)data.ModuleID,
            Token = data.IsDynamic ? 0 : data.MethodToken,
            Namespace = Text(data.MethodNamespace),
            Name = Text(data.MethodName),
            Signature = Text(data.MethodSignature),
            Tier = TierOf(data),
        });
    }

    private void TakeEntryPoint(R2RGetEntryPointTraceData data)
    {
        // 0: there is no code for this method, it will be compiled.
        if (data.EntryPoint != 0)
        {
            _map.Add(new MethodCode
            {
                Start = (ulong)data.EntryPoint,
                LoadNs = TimeOf(data),
                MethodId = (ulong)data.MethodID,
                Namespace = Text(data.MethodNamespace),
                Name = Text(data.MethodName),
                Signature = Text(data.MethodSignature),
                Tier = CodeTier.ReadyToRun,
            });
        }
    }

    private void TakeMap(MethodILToNativeMapTraceData data)
    {
        if (_waiting.Remove((data.ThreadID, data.MethodID, data.ReJITID), out var code))
        {
            _map.SetIlMap(code, ReadMap(data));
        }
    }

    private void TakeEarlyMap(MethodILToNativeMapTraceData data)
    {
        if (_early.Count >= MostWaiting)
        {
            _early.Clear();
        }

        _early[(data.ThreadID, data.MethodID, data.ReJITID)] = ReadMap(data);
    }

    private static IlMap? ReadMap(MethodILToNativeMapTraceData data)
    {
        const int head = 19; // bytes before the entries' IL offsets; their native offsets follow
        var count = data.CountOfMapEntries;
        if (count <= 0 || head + (count * 8L) > data.EventDataLength)
        {
            return null;
        }

        var entries = new List<(int Native, int Il)>(count);
        for (var i = 0; i < count; i++)
        {
            entries.Add((data.NativeOffset(i), data.ILOffset(i)));
        }

        return IlMap.Pack(entries);
    }

    private void TakeModule(ModuleLoadUnloadTraceData data)
    {
        _hasNewModules = true;
        var path = Text(data.ModuleILPath);
        var pdb = data.ManagedPdbSignature;
        _map.AddAssembly((ulong)data.ModuleID, new LoadedAssembly(path, pdb == Guid.Empty ? null : pdb));
    }

    // Events come late; a process that has ended meanwhile has nothing mapped.
    private void LookForImages()
    {
        if (_hasNewModules && _pid > 0 && Environment.TickCount64 - _imagesReadMs >= ImagesAgeMs)
        {
            _imagesReadMs = Environment.TickCount64;
            _hasNewModules = false;
            if (new ProcessReader(_pid).ReadMappings() is { } mappings)
            {
                _map.UpdateImages(mappings);
            }
        }
    }

    private string Text(string text) => _map.Intern(text.Length > LongestText ? text[..LongestText] : text);
}
