namespace NativeHeap.EndToEnd.Checks;

/// <summary>Leaks that a program itself calls known: <c>__lsan_default_suppressions</c> (tests/targets/suppress.c).</summary>
public sealed class OwnSuppressionsTests : IDisposable
{
    private const string Source = "__lsan_default_suppressions of suppress";
    private static readonly string[] s_program = [Built.Target("suppress")];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void They_count_for_it_and_its_children_and_the_table_says_whose_they_are()
    {
        var run = Check(s_program);

        run.Outcome.Expect(0);
        Assert.Equal((30, 1), run.Check.Sum("definite"));
        Assert.Equal((30, 1), Assert.Single(run.Check.Children).Sum("definite"));
        Assert.Equal([("^lose_known$", 100L, 1L)], run.Check.SuppressionsUsed);
        Assert.Contains($"      2        200 ^lose_known$  ({Source}:3)", run.Outcome.Said);
        Assert.Equal("", run.Check.Notes);
    }

    [Fact]
    public void What_cannot_be_read_or_is_too_much_is_noted_and_the_rest_counts()
    {
        var run = Check([.. s_program, "bad"]);

        Assert.Equal((30, 1), run.Check.Sum("definite"));
        Assert.Equal(
            [
                $"{Source}: longer than 65536 bytes, the rest was not read",
                $"{Source}:2: neither leak:PATTERN nor the {{ of a valgrind suppression",
                $"{Source}:6: a frame is fun:NAME, obj:PATH, src:FILE[:LINE] or ...",
                $"{Source}:9: there is no pattern after leak: (leak:* stands for everything)",
            ],
            run.Check.Notes.Split("; "));
    }

    [Fact]
    public void Without_default_suppressions_they_do_not_count() =>
        Assert.Equal((130, 2), Check(s_program, null, "--default-suppressions", "no").Check.Sum("definite"));

    [Fact]
    public void A_library_that_the_program_is_started_with_may_have_them()
    {
        Tool.Need("gcc");
        var library = Tool.CompileC(
            _folder, "known.so", "const char *__lsan_default_suppressions(void) { return \"leak:^lose$\"; }", "-shared", "-fPIC");
        var run = Check([Built.Target("lose"), "return"], Surroundings.After($"export LD_PRELOAD={library}"));

        Assert.Equal([("^lose$", 150L, 2L)], run.Check.SuppressionsUsed);
    }

    [Fact]
    public void No_frame_of_ours_is_left_behind_where_they_were_asked_for()
    {
        using var trace = Recording.Run(_folder, s_program);

        trace.Outcome.Expect(0);
        var stacks = trace.ReportBy("live").Stacks.Where(stack => stack.Goes("lose_known")).ToList();
        Assert.NotEmpty(stacks);
        Assert.DoesNotContain(stacks.SelectMany(stack => stack.Frames), frame => frame.Module?.Contains("libnativeheap", StringComparison.Ordinal) == true);
    }

    private CheckRun Check(IReadOnlyList<string> command, Surroundings? around = null, params string[] options) =>
        CheckRun.Run(_folder, command, around, ["--error-exitcode", "0", .. options]);
}
