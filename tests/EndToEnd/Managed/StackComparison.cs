using System.Text;

namespace NativeHeap.EndToEnd.Managed;

/// <summary>
/// Compares captured stacks with what StackTrace said, frame by frame. Every frame of StackTrace has to be there, in
/// order; a captured frame beyond those must be of a kind whose cause is known (<see cref="Known"/>).
/// </summary>
internal sealed class StackComparison
{
    private const long DepthLimit = 64; // enum marker in native/wire/records.def
    private const int Examples = 3;

    // Words in kinds of contexts where a handler or a finally block may be running.
    private static readonly string[] s_exceptional = ["catch", "finally", "exception", "dispose"];

    /// <summary>Differences that are right, with their cause.</summary>
    public static readonly IReadOnlyDictionary<string, string> Known = new Dictionary<string, string>
    {
        [Callee] = "the probe's own callee: a P/Invoke stub, its C# part, NativeMemory, Marshal",
        [Stub] = "code that the runtime made for its own use; StackTrace leaves it out",
        [Transition] = "StackTrace shows a P/Invoke twice, for the runtime's record of the call and not for code",
        [Osr] = "the frame of the first tier lies under that of the code which replaced it in the middle of a loop",
        [Funclet] = "a handler, a finally block: a frame of its own; StackTrace shows that of its method alone",
        [Threw] = "what threw is still on the stack while the handler runs; StackTrace passes over it",
        [Fault] = "the very instruction that faulted, and not a return address",
        [Cut] = "outer frames are cut after 1,024, and the stack says so",
    };

    private const string Callee = "called after StackTrace was taken";
    private const string Stub = "stub of the runtime";
    private const string Transition = "transition to native code (StackTrace only)";
    private const string Osr = "replaced in a loop";
    private const string Funclet = "funclet";
    private const string Threw = "frames that threw";
    private const string Fault = "processor exception";
    private const string Cut = "beyond the depth limit";

    private readonly SortedDictionary<string, int> _differences = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, int> _failures = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _shown = [];
    private readonly StringBuilder _examples = new();

    public int Stacks { get; private set; }

    public int Equal { get; private set; }

    public long Frames { get; private set; }

    public bool Failed => _failures.Count > 0;

    /// <summary>Compares one block.</summary>
    public void Add(TrueBlock truth, CapturedStack? captured)
    {
        Stacks++;
        if (captured is null)
        {
            Fail("block not recorded", truth, captured);
            return;
        }
        var cut = captured.Markers.Contains(DepthLimit);
        if (captured.Markers.Any(marker => marker != DepthLimit) || (cut && truth.Kind != "recursion beyond the limit"))
        {
            Fail("stack ended early", truth, captured);
            return;
        }
        var differences = new List<string>();
        if (cut)
        {
            differences.Add(Cut);
        }
        if (Compare([.. captured.Frames.Where(frame => frame.IsManaged)], truth, cut, differences) is { } failure)
        {
            Fail(failure, truth, captured);
            return;
        }
        foreach (var difference in differences)
        {
            _differences[difference] = _differences.GetValueOrDefault(difference) + 1;
        }
        Equal += differences.Count == 0 ? 1 : 0;
    }

    /// <summary>Figures, and examples of what failed.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine($"{Stacks} stacks, {Frames} frames of StackTrace found, {Equal} stacks equal, {_failures.Values.Sum()} wrong");
        foreach (var (difference, count) in _differences)
        {
            text.AppendLine($"  {count} times: {difference} ({Known[difference]})");
        }
        foreach (var (failure, count) in _failures)
        {
            text.AppendLine($"  WRONG {count}: {failure}");
        }
        return text.Append(_examples).ToString();
    }

    // What is wrong; null when every frame is there and every other one explained.
    private string? Compare(List<CapturedFrame> frames, TrueBlock truth, bool cut, List<string> differences)
    {
        var expected = truth.Frames.Where(frame => !IsTransition(frame)).ToList();
        differences.AddRange(Enumerable.Repeat(Transition, truth.Frames.Count - expected.Count));
        var next = 0;
        for (var i = 0; i < frames.Count; i++)
        {
            if (next < expected.Count && Same(frames[i], expected[next], truth, next == 0, differences))
            {
                next++;
            }
            else if (ExplainOne(frames, i, next) is { } difference)
            {
                differences.Add(difference);
            }
            else if (next < expected.Count && HandlerEnd(frames, i, expected, next, truth) is { } body)
            {
                differences.Add(Funclet);
                differences.AddRange(Enumerable.Repeat(Threw, body - i - 1));
                i = body - 1;
            }
            else
            {
                return frames[i].IsKnown ? $"frame too many: {frames[i]}" : "unknown frame";
            }
        }
        Frames += next;
        return next == expected.Count || cut ? null : $"caller missing: {expected[next].Method}";
    }

    private static bool IsTransition(TrueFrame frame) => frame.Method.IsPInvoke && frame.Offset == 0;

    private static bool IsMethod(CapturedFrame captured, TrueMethod method) => method.Token == 0
        ? captured.Token == 0 && captured.Name == method.Name
        : captured.Token == method.Token && captured.Module == method.Module;

    // Offsets tell calls of one method from each other. The innermost method makes two: StackTrace's and the probe's.
    private static bool Same(
        CapturedFrame captured, TrueFrame frame, TrueBlock truth, bool innermost, List<string> differences)
    {
        if (!IsMethod(captured, frame.Method))
        {
            return false;
        }
        if (captured.Offset == frame.Offset + 1 && IsExceptional(truth))
        {
            differences.Add(Fault);
            return true;
        }
        return innermost || captured.Tier == "readytorun" || captured.Offset == frame.Offset;
    }

    private static string? ExplainOne(List<CapturedFrame> frames, int i, int matched)
    {
        var frame = frames[i];
        if (matched == 0 && IsCallee(frame))
        {
            return Callee;
        }
        if (frame.IsStub)
        {
            return Stub;
        }
        return i > 0 && IsFirstTierUnderOsr(frame, frames[i - 1]) ? Osr : null;
    }

    // When frame i is a handler of the method that is expected next: where that method's own frame is. With recursion,
    // the one that is followed by most of what has to follow.
    private static int? HandlerEnd(
        List<CapturedFrame> frames, int i, List<TrueFrame> expected, int next, TrueBlock truth)
    {
        var method = expected[next].Method;
        if (!IsMethod(frames[i], method) || !IsExceptional(truth))
        {
            return null;
        }
        int? best = null;
        for (int body = i + 1, longest = 0; body < frames.Count && frames[body].IsKnown; body++)
        {
            var run = 0;
            while (next + run < expected.Count && body + run < frames.Count && IsAt(frames[body + run], expected[next + run]))
            {
                run++;
            }
            if (run > longest)
            {
                (best, longest) = (body, run);
            }
        }
        return best;

        static bool IsAt(CapturedFrame captured, TrueFrame frame) => IsMethod(captured, frame.Method)
            && (captured.Tier == "readytorun" || captured.Offset - frame.Offset is 0 or 1);
    }

    private static bool IsExceptional(TrueBlock truth) => s_exceptional.Any(word => truth.Kind.Contains(word, StringComparison.Ordinal));

    private static bool IsCallee(CapturedFrame frame) =>
        frame.IsStub || (frame.Type, frame.Name) is
            ("Truth.Native", "GeneratedBlockText" or "GeneratedBlockWithError")
            or ("System.Runtime.InteropServices.NativeMemory", "Alloc")
            or ("System.Runtime.InteropServices.Marshal", "AllocHGlobal");

    private static bool IsFirstTierUnderOsr(CapturedFrame frame, CapturedFrame inner) =>
        inner.Tier == "osr" && frame.Token == inner.Token && frame.Module == inner.Module && frame.Token != 0;

    private void Fail(string failure, TrueBlock truth, CapturedStack? captured)
    {
        _failures[failure] = _failures.GetValueOrDefault(failure) + 1;
        if (_shown.GetValueOrDefault(failure) is var shown && shown < Examples && _shown.Count < 20)
        {
            _shown[failure] = shown + 1;
            _examples.AppendLine($"-- {failure}, in {truth.Kind}").AppendLine("captured:");
            foreach (var frame in captured?.Frames ?? [])
            {
                _examples.AppendLine($"     {frame}{(frame.IsManaged ? $" +{frame.Offset:x}" : "")}");
            }
            _examples.AppendLine("StackTrace:");
            foreach (var frame in truth.Frames)
            {
                _examples.AppendLine($"     {frame.Method} +{frame.Offset:x}");
            }
        }
    }
}
