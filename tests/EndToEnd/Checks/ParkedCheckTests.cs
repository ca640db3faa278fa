namespace NativeHeap.EndToEnd.Checks;

/// <summary>Checks where ptrace is refused, of a program that has the shim attached by itself.</summary>
public sealed class ParkedCheckTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Threads_of_an_attached_process_park()
    {
        var run = Check("");

        run.Outcome.Expect(23);
        Assert.True(run.Check.IsComplete);
        Assert.Equal((100, 1), run.Check.Of("lose")["definite"]);
        Assert.Equal((50, 1), run.Check.Of("lose")["indirect"]);
    }

    [Fact]
    public void A_program_that_uses_the_signal_itself_gets_none_and_goes_on() => Assert.Contains(
        "could not be checked: ptrace is refused, and it makes use of signal 53 itself",
        Check("signal(53, ignore);").Outcome.Expect(5).Errors,
        StringComparison.Ordinal);

    [Theory]
    [InlineData("if (signal(53, ignore) != SIG_DFL) return 8;")]
    [InlineData("struct sigaction was, own = {.sa_handler = ignore}; if (sigaction(53, NULL, &was) != 0 || was.sa_handler != SIG_DFL || sigaction(53, &own, NULL) != 0) return 8;")]
    public void A_program_that_takes_the_signal_later_has_it_and_sees_no_handler_of_ours(string then) => Assert.Contains(
        "could not be checked: ptrace is refused, and it makes use of signal 53 itself",
        Check("", then).Outcome.Expect(5).Errors,
        StringComparison.Ordinal);

    [Fact]
    public void A_program_that_wants_the_default_of_the_signal_is_checked_all_the_same() =>
        Check("", "if (signal(53, SIG_DFL) != SIG_DFL || signal(53, SIG_DFL) != SIG_DFL) return 8;").Outcome.Expect(23);

    private CheckRun Check(string first, string then = "")
    {
        Tool.Need("gcc");
        var source = """
            #include <dlfcn.h>
            #include <signal.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <unistd.h>
            void ignore(int signal) { (void)signal; _exit(1); }
            __attribute__((noinline)) void lose(void) { void *volatile *block = calloc(1, 100); block[3] = calloc(1, 50); }
            __attribute__((noinline)) void overwrite(void) { volatile char dead[16384]; for (int i = 0; i < 16384; i++) dead[i] = 0; }
            int main(int count, char **arguments) {
                FIRST
                int (*attach)(const char *) = (int (*)(const char *))dlsym(dlopen(arguments[1], RTLD_NOW), "nativeheap_attach");
                if (attach(arguments[2]) != 0) return 9;
                THEN
                lose();
                overwrite();
                fclose(fopen(arguments[3], "w"));
                getchar();
                return 3;
            }
            """;
        source = source.Replace("FIRST", first, StringComparison.Ordinal).Replace("THEN", then, StringComparison.Ordinal);
        var program = Tool.CompileC(_folder, "attached", source, "-O0", "-fno-builtin", "-ldl");
        using var collector = Listening.Start(_folder, new Surroundings { Wrapper = [Built.Target("refuse_ptrace")] });
        using var target = Harness.Program.Start(
            [program, Built.Shim, $"NATIVEHEAP_SOCKET={collector.Socket}\n", _folder["ready"]], new Surroundings { KeepInput = true });
        Assert.True(SpinWait.SpinUntil(() => target.HasEnded || File.Exists(_folder["ready"]), s_patience));
        var run = CheckRun.Now(_folder, target.Pid);
        target.EndInput();
        target.Wait().Expect(3);
        return run;
    }
}
