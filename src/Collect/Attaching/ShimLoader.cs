using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using NativeHeap.Managed;
using NativeHeap.Memory.Injection;
using NativeHeap.Model;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Attaching;

/// <summary>What is known of an attach or a detach that was done.</summary>
/// <param name="Way">How.</param>
/// <param name="Took">From the first step to the last.</param>
/// <param name="LongestStop">The longest time for which one thread of the process was stopped; null: none was.</param>
/// <param name="Busy">How long that thread was kept from its own work; null: none was.</param>
public sealed record AttachReport(AttachWay Way, TimeSpan Took, TimeSpan? LongestStop, TimeSpan? Busy)
{
    /// <summary>For a person: " by ptrace in 73 ms; …".</summary>
    public string Text => Way == AttachWay.DiagnosticPort
        ? string.Create(CultureInfo.InvariantCulture, $" by its diagnostic port in {Took.TotalMilliseconds:f0} ms; no thread was stopped")
        : string.Create(
            CultureInfo.InvariantCulture,
            $" by ptrace in {Took.TotalMilliseconds:f0} ms; one thread was busy for {Busy!.Value.TotalMilliseconds:f1} ms, and stopped for {LongestStop!.Value.TotalMilliseconds:f1} ms at most");
}

/// <summary>Has a running process load the shim and begin to record, or cease. Blocks; for one thread.</summary>
/// <param name="target">The process.</param>
/// <param name="shim">The shim's path, the same for both.</param>
internal sealed class ShimLoader(AttachTarget target, string shim)
{
    private const string AttachFunction = "nativeheap_attach";
    private const string DetachFunction = "nativeheap_detach";
    private const string DetachWord = "detach"; // as client data: WireConstants.DetachText
    private const string AgainWord = "again";   // WireConstants.AgainText

    private static readonly Guid ProfilerClass = ReadClass();

    private const uint MostResults = 256;

    /// <summary>How long to look for a thread that can make the call.</summary>
    public static readonly TimeSpan Choosing = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Calling = TimeSpan.FromSeconds(20);

    /// <summary>Begins to record.</summary>
    /// <param name="settings">NAME=VALUE, a line each.</param>
    /// <exception cref="ToolException">It could not be done; the process is as it was, but for the library, which may
    /// stay loaded and does nothing.</exception>
    public AttachReport Attach(string settings) =>
        Checked(Do(new InjectedCall(shim, AttachFunction, settings), settings, Choosing, CancellationToken.None));

    /// <summary>Has a process that has the shim loaded go to the socket where it was recorded before.</summary>
    /// <param name="choosing">How long to look for a thread that can make the call.</param>
    /// <param name="cancellation">Ends that search early.</param>
    /// <returns>What the shim answered.</returns>
    /// <exception cref="ToolException">It could not be called.</exception>
    public (AttachResult Result, AttachReport Report) Again(TimeSpan choosing, CancellationToken cancellation) =>
        Do(new InjectedCall(shim, AttachFunction, AgainWord) { IsLoaded = true }, AgainWord, choosing, cancellation);

    /// <summary>Ceases to record.</summary>
    /// <exception cref="ToolException">It could not be done.</exception>
    public AttachReport Detach() =>
        Checked(Do(new InjectedCall(shim, DetachFunction, ""), DetachWord, Choosing, CancellationToken.None));

    private (AttachResult Result, AttachReport Report) Do(
        InjectedCall call, string clientData, TimeSpan choosing, CancellationToken cancellation)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        if (!target.IsThere())
        {
            throw Refuse($"process {target.Pid} has ended");
        }

        if (target.Way == AttachWay.DiagnosticPort && ByPort(clientData) is { } asked)
        {
            return (asked, new AttachReport(AttachWay.DiagnosticPort, clock.Elapsed, null, null));
        }

        if (AttachTarget.Untraceable(target.Pid) is { } problem)
        {
            throw Refuse($"process {target.Pid} {problem}");
        }

        var result = Injector.Call(target.Pid, call, choosing, Calling, cancellation);
        if (result.Outcome == InjectionOutcome.NotLoaded && call.IsLoaded)
        {
            throw Refuse($"process {target.Pid} has a shim loaded that is not at its path any more; it can be recorded again when it has been restarted");
        }

        if (result.Outcome != InjectionOutcome.Returned)
        {
            throw Refuse($"process {target.Pid} could not be made to load the shim: {result.Problem}");
        }

        return ((AttachResult)result.Value, new AttachReport(AttachWay.Ptrace, clock.Elapsed, result.LongestStop, result.Busy));
    }

    // What the shim answered; null: the runtime could not be asked, or does not load profilers.
    private AttachResult? ByPort(string clientData)
    {
        var result = ProfilerPort.Load(target.Pid, ProfilerClass, shim, Encoding.UTF8.GetBytes(clientData), out _);
        return result switch
        {
            WireConstants.AttachDone => AttachResult.Done,
            { } own and > WireConstants.AttachFailed and < WireConstants.AttachFailed + MostResults =>
                (AttachResult)(own - WireConstants.AttachFailed),
            _ => null,
        };
    }

    private static Guid ReadClass()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, WireConstants.AttachClassLow);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], WireConstants.AttachClassHigh);
        return new Guid(bytes);
    }

    private AttachReport Checked((AttachResult Result, AttachReport Report) answer) => answer.Result == AttachResult.Done
        ? answer.Report
        : throw Refuse($"process {target.Pid} {Words(answer.Result)}");

    /// <summary>What an answer of the shim means, in words that follow the process.</summary>
    public static string Words(AttachResult result) => result switch
    {
        AttachResult.AlreadyRecording => "is being recorded already",
        AttachResult.NotRecording => "is not being recorded",
        AttachResult.NoCollector => "did not reach us at our socket",
        AttachResult.Refused => "was refused by our own collector",
        AttachResult.WrongVersion => "has a shim of another version loaded; it can be attached to again when it has been restarted",
        AttachResult.BadSettings => "has an older shim loaded, which does not understand us",
        AttachResult.NoMemory => "has no memory for the recording",
        AttachResult.Busy => "is just being attached to, or detached from; try again",
        AttachResult.OwnAllocator => "has an allocator of its own built in, whose calls cannot be seen",
        AttachResult.CannotHook => "does not let its calls be redirected",
        AttachResult.OtherLayout => "was recorded with other sizes before; it can be attached to again when it has been restarted",
        _ => string.Create(CultureInfo.InvariantCulture, $"could not be recorded: its shim says {(uint)result}"),
    };

    private static ToolException Refuse(string message) => new(message, ExitCodes.Target);
}
