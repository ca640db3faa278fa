using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Harness;

/// <summary>A <c>nativeheap attach</c> that runs, and its trace.</summary>
internal sealed class Attachment : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly Program _program;
    private readonly string _errors;
    private readonly int _target;

    private Attachment(Program program, int target, string trace, string errors)
    {
        _program = program;
        _target = target;
        _errors = errors;
        TracePath = trace;
    }

    public string TracePath { get; }

    public int Pid => _program.Pid;

    public bool HasEnded => _program.HasEnded;

    /// <summary>What it has said up to now.</summary>
    public string Said => File.Exists(_errors) ? File.ReadAllText(_errors) : "";

    /// <summary>Begins to attach.</summary>
    public static Attachment Begin(TempFolder folder, int target, params string[] options)
    {
        var name = folder[$"{Guid.NewGuid():N}"];
        string[] command = ["dotnet", Built.Command, "attach", "-p", Text(target), "-o", name + ".nheap", .. options];
        var program = Program.Start(command, new Surroundings { Wrapper = ["/bin/sh", "-c", $"exec \"$@\" 2>{name}.err", "sh"] });
        return new Attachment(program, target, name + ".nheap", name + ".err");
    }

    /// <summary>Attaches: when this returns, the target is being recorded.</summary>
    public static Attachment Start(TempFolder folder, int target, params string[] options)
    {
        var attachment = Begin(folder, target, options);
        for (var clock = Stopwatch.StartNew(); !attachment.Said.Contains("recording to ", StringComparison.Ordinal); Thread.Yield())
        {
            Assert.False(attachment.HasEnded, $"it ended: {attachment.Said}");
            Assert.True(clock.Elapsed < s_patience, $"it does not attach: {attachment.Said}");
        }
        return attachment;
    }

    /// <summary>Attaches and detaches.</summary>
    public static Attachment Cycle(TempFolder folder, int target, Action meanwhile, params string[] options)
    {
        var attachment = Start(folder, target, options);
        meanwhile();
        attachment.Detach();
        return attachment;
    }

    /// <summary>Ends the recording by the verb from outside, and waits until the trace is whole.</summary>
    public void Detach()
    {
        var detached = Program.Run(["dotnet", Built.Command, "detach", "-p", Text(_target)]).Expect(0);
        Assert.Contains("is not recorded any more", detached.Errors, StringComparison.Ordinal);
        Wait().Expect(0);
    }

    /// <summary>Sends it a signal.</summary>
    public void Signal(int signal) => Signals.Send(Pid, signal);

    /// <summary>Waits for its end.</summary>
    public Outcome Wait()
    {
        var outcome = _program.Wait();
        return outcome with { Errors = Said };
    }

    /// <summary>What <c>report --json</c> says of the trace.</summary>
    public Report Report() => Listening.Read(TracePath);

    public void Dispose() => _program.Dispose();

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
