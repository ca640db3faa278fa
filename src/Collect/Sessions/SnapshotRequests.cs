using System.Globalization;
using NativeHeap.Collect.Server;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Sessions;

/// <summary>Answers clients who ask for a snapshot. <see cref="Take"/> is for the poll thread, the rest for the drain's.</summary>
internal sealed class SnapshotRequests(DrainLoop drain)
{
    // TRACE@peak and TRACE@end always mean the same; a number is the snapshot's own.
    private static readonly string[] Reserved = ["peak", "end"];

    private readonly HashSet<int> _pids = [];

    /// <summary>A process is recorded.</summary>
    /// <param name="pid">In our pid namespace.</param>
    public void Know(int pid) => _pids.Add(pid);

    /// <summary>A process has ended.</summary>
    public void Forget(int pid) => _pids.Remove(pid);

    /// <summary>Answers a request as soon as the drain can.</summary>
    public void Take(ControlRequest request)
    {
        var name = RequestText.Read(request.Record);
        if (request.Record.Kind != (uint)RequestKind.Snapshot)
        {
            request.Answer(RequestResult.UnknownKind, "");
        }
        else if (name is null || name.Any(char.IsControl))
        {
            request.Answer(RequestResult.Failed, "");
        }
        else if (Reserved.Contains(name) || (name.Length > 0 && name.All(char.IsAsciiDigit)))
        {
            request.Answer(RequestResult.NameTaken, name);
        }
        else
        {
            drain.Post(recording => Answer(recording, (int)Math.Min(request.Record.Pid, int.MaxValue), name, request));
        }
    }

    private void Answer(Recording recording, int pid, string name, ControlRequest request)
    {
        if (!_pids.Contains(pid))
        {
            request.Answer(RequestResult.UnknownPid, "");
            return;
        }
        if (recording.TakeSnapshot(name.Length == 0 ? null : name, "asked") is not { } snapshot)
        {
            request.Answer(RequestResult.NameTaken, name);
            return;
        }
        drain.Flush(); // whoever asked may read it at once
        request.Answer(
            drain.Failure is null ? RequestResult.Done : RequestResult.Failed,
            snapshot.Name ?? snapshot.Number.ToString(CultureInfo.InvariantCulture));
    }
}
