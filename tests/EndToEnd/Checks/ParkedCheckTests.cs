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

    private CheckRun Check(string first)
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
                lose();
                overwrite();
                fclose(fopen(arguments[3], "w"));
                getchar();
                return 3;
            }
            """;
        var program = Tool.CompileC(_folder, "attached", source.Replace("FIRST", first, StringComparison.Ordinal), "-O0", "-fno-builtin", "-ldl");
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
