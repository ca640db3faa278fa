using System.Globalization;
using System.Text;
using NativeHeap.Collect.Checks;
using NativeHeap.Collect.Server;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;
using NativeHeap.Trace;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Sessions;

/// <summary>Answers clients who ask for a snapshot, a check, a pause, another rate. <see cref="Take"/> is for the poll thread, the rest for the drain's.</summary>
internal sealed class SnapshotRequests(DrainLoop drain, string tracePath)
{
    // TRACE@peak and TRACE@end always mean the same; a number is the snapshot's own.
    private static readonly string[] Reserved = ["peak", "end"];

    private readonly Dictionary<int, ProcessId> _pids = [];

    /// <summary>Checks heaps; null: nobody does. Before anything happens.</summary>
    public HeapChecks? Checks { get; set; }

    /// <summary>A process is recorded.</summary>
    /// <param name="pid">In our pid namespace.</param>
    /// <param name="process">Its latest image.</param>
    public void Know(int pid, ProcessId process) => _pids[pid] = process;

    /// <summary>A process has ended.</summary>
    public void Forget(int pid) => _pids.Remove(pid);

    /// <summary>The process with most resident memory; null: none is recorded.</summary>
    public (ProcessId Id, int Pid)? FindLargest()
    {
        var sizes = _pids.Select(item => (Id: item.Value, Pid: item.Key, Bytes: new ProcessReader(item.Key).ReadResidentBytes()))
            .Where(item => item.Bytes is not null).ToList();
        return sizes.Count > 0 && sizes.MaxBy(item => item.Bytes) is var largest ? (largest.Id, largest.Pid) : null;
    }

    /// <summary>Answers a request as soon as the drain can.</summary>
    public void Take(ControlRequest request)
    {
        var name = RequestText.Read(request.Record);
        var pid = (int)Math.Min(request.Record.Pid, int.MaxValue);
        if (request.Record.Kind == (uint)RequestKind.TracePath)
        {
            AnswerPath(name, request);
        }
        else if (request.Record.Kind == (uint)RequestKind.Check && Checks is not null)
        {
            drain.Post(_ => AnswerCheck(pid, request));
        }
        else if (request.Record.Kind is (uint)RequestKind.Pause or (uint)RequestKind.Resume)
        {
            var pause = request.Record.Kind == (uint)RequestKind.Pause;
            drain.Post(recording => AnswerPause(recording, pid, pause, request));
        }
        else if (request.Record.Kind == (uint)RequestKind.Sample)
        {
            drain.Post(recording => AnswerSample(recording, pid, name, request));
        }
        else if (request.Record.Kind == (uint)RequestKind.DueSnapshot)
        {
            drain.Post(recording => AnswerDue(recording, pid, request));
        }
        else if (request.Record.Kind != (uint)RequestKind.Snapshot)
        {
            request.Answer(RequestResult.UnknownKind, "");
        }
        else if (name is null || name.Any(char.IsControl))
        {
            request.Answer(RequestResult.Failed, "");
        }
        else if (IsReserved(name))
        {
            request.Answer(RequestResult.NameTaken, name);
        }
        else
        {
            drain.Post(recording => Answer(recording, pid, name, request));
        }
    }

    /// <summary>Whether a name means something else after a trace's @.</summary>
    public static bool IsReserved(string name) =>
        Reserved.Contains(name) || (name.Length > 0 && name.All(char.IsAsciiDigit));

    // A path may be longer than an answer: it is asked for piece by piece.
    private void AnswerPath(string? from, ControlRequest request)
    {
        var path = Encoding.UTF8.GetBytes(tracePath);
        if (!int.TryParse(from, NumberStyles.None, CultureInfo.InvariantCulture, out var start) || start > path.Length)
        {
            request.Answer(RequestResult.Failed, "");
            return;
        }

        // Cut between characters.
        var end = Math.Min(path.Length, start + RequestText.MaxBytes);
        while (end < path.Length && (path[end] & 0xC0) == 0x80)
        {
            end--;
        }

        request.Answer(RequestResult.Done, Encoding.UTF8.GetString(path.AsSpan(start, Math.Max(0, end - start))));
    }

    private void AnswerPause(Recording recording, int pid, bool pause, ControlRequest request)
    {
        if (!_pids.TryGetValue(pid, out var process))
        {
            request.Answer(RequestResult.UnknownPid, "");
            return;
        }
        // An answer without text: it was so already.
        request.Answer(RequestResult.Done, recording.Pause(process, pause, Heartbeat.Clock()) ? "done" : "");
    }

    private void AnswerSample(Recording recording, int pid, string? mean, ControlRequest request)
    {
        if (!_pids.TryGetValue(pid, out var process))
        {
            request.Answer(RequestResult.UnknownPid, "");
        }
        else if (!long.TryParse(mean, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
            || (ulong)bytes > WireConstants.SamplingMean)
        {
            request.Answer(RequestResult.Failed, "no such rate");
        }
        else if (Checks?.NeedsEveryBlock == true)
        {
            request.Answer(RequestResult.Failed, "its heap is checked at its end, which needs every block");
        }
        else
        {
            var changed = recording.Sample(process, bytes, SamplingReasons.Asked, Heartbeat.Clock());
            request.Answer(RequestResult.Done, changed ? "done" : "");
        }
    }

    private void AnswerCheck(int pid, ControlRequest request)
    {
        if (!_pids.TryGetValue(pid, out var process))
        {
            request.Answer(RequestResult.UnknownPid, "");
            return;
        }

        Checks!.Ask(process, pid, (number, problem) =>
        {
            if (number is { } known)
            {
                request.Answer(RequestResult.Done, known.ToString(CultureInfo.InvariantCulture));
            }
            else
            {
                request.Answer(RequestResult.Failed, problem ?? "");
            }
        });
    }

    private void AnswerDue(Recording recording, int pid, ControlRequest request)
    {
        if (_pids.TryGetValue(pid, out var process) && drain.TakeDueSnapshot() is { } number)
        {
            Answer(recording, process, number.ToString(CultureInfo.InvariantCulture), request);
            return;
        }

        request.Answer(RequestResult.Failed, "");
    }

    private void Answer(Recording recording, int pid, string name, ControlRequest request)
    {
        if (!_pids.TryGetValue(pid, out var process))
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
        Answer(recording, process, snapshot.Name ?? snapshot.Number.ToString(CultureInfo.InvariantCulture), request);
    }

    private void Answer(Recording recording, ProcessId process, string snapshot, ControlRequest request)
    {
        var done = recording.ListsBlocks(process) ? RequestResult.Done : RequestResult.DoneInPart;
        request.Answer(drain.Failure is null ? done : RequestResult.Failed, snapshot);
    }
}
