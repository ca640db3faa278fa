using System.Buffers.Binary;
using NativeHeap.Collect.Launching;
using NativeHeap.Memory.Elf;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Collect.Tests.Launching;

public sealed class PreflightTests : IDisposable
{
    private const string Program = "int main(void) { return 0; }";

    private readonly TempFolder _folder = new();
    private readonly string _shim;

    public PreflightTests() => _shim = Tool.CompileC(_folder, "shim.so", "int shim;", "-shared", "-fPIC");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_dynamic_program_is_accepted_by_path_and_through_the_search_path()
    {
        var path = Tool.CompileC(_folder, "program", Program);

        Assert.Equal(path, Check(path).Program);
        Assert.Equal(path, Check("program", options => options with { SearchPath = $"/nowhere::{_folder.Path}" }).File);
        Assert.Equal("./program", Check("./program", options => options with { WorkingDirectory = _folder.Path }).File);
        Assert.Equal("./program", Check("program", options => options with
        {
            SearchPath = "/nowhere:",
            WorkingDirectory = _folder.Path,
        }).File);
    }

    [Fact]
    public void Programs_that_start_dotnet_are_told_from_others()
    {
        Assert.True(Check("dotnet").StartsDotNet);
        var ownHost = Path.Combine(AppContext.BaseDirectory, "NativeHeap.Collect.Tests");
        Assert.True(Check(ownHost).StartsDotNet);
        Assert.False(Check("python3").StartsDotNet);
        Assert.False(Check(Executable("script", "#!/bin/sh\nexec dotnet\n")).StartsDotNet);
    }

    [Theory]
    [InlineData("python3")]
    [InlineData("sort")]
    [InlineData("sh")]
    public void Programs_of_the_system_are_accepted(string name) => Check(name);

    [Fact]
    public void The_dynamic_linker_as_a_command_is_accepted() => Check("/lib64/ld-linux-x86-64.so.2");

    [Fact]
    public void What_does_not_exist_is_refused()
    {
        Refused("no-such-command-anywhere", "'no-such-command-anywhere' is not in PATH");
        Refused("./nothing", "'./nothing' does not exist");
        Refused(string.Empty, "name is empty");
        Refused("sh", "'sh' is not in PATH", options => options with { SearchPath = "/nowhere" });
    }

    [Fact]
    public void A_search_without_a_path_variable_looks_in_the_folders_of_the_system() =>
        Check("sh", options => options with { SearchPath = null });

    [Fact]
    public void What_cannot_be_executed_is_passed_over_in_the_search_and_reported_only_if_nothing_else_is_found()
    {
        Directory.CreateDirectory(_folder["first/tool"]);
        Directory.CreateDirectory(_folder["second"]);
        Directory.CreateDirectory(_folder["third"]);
        _folder.Write("second/tool", "no permission");
        File.Copy(Tool.CompileC(_folder, "program", Program), _folder["third/tool"]);

        var all = $"{_folder["first"]}:{_folder["second"]}:{_folder["third"]}";
        Assert.Equal(_folder["third/tool"], Check("tool", options => options with { SearchPath = all }).File);
        Refused("tool", "is a directory", options => options with { SearchPath = $"{_folder["first"]}:{_folder["second"]}" });
        Refused("tool", "is not executable", options => options with { SearchPath = _folder["second"] });
    }

    [Fact]
    public void What_is_no_program_is_refused()
    {
        Tool.Run("mkfifo", _folder["fifo"]);
        Tool.CompileC(_folder, "object.o", Program, "-c");

        Refused(_folder.Path, "is a directory");
        Refused(_folder["fifo"], "is no regular file");
        Refused(_folder.Write("unset", "#!/bin/sh\n"), "is not executable");
        Refused(Executable("empty", string.Empty), "is an empty file");
        Refused(Executable("text", "echo hello\n"), "has neither an ELF header nor a #! line; start it by its interpreter");
        Refused(Executable("damaged", "\u007fELF\u0002"), "is a damaged ELF header");
        Refused(Executable(_folder["object.o"]), "is an object file");
        Refused(_shim, "is a shared library");
    }

    [Fact]
    public void A_static_program_is_refused_whether_position_independent_or_not()
    {
        Refused(Tool.CompileC(_folder, "static", Program, "-static"), "is statically linked");
        Refused(Tool.CompileC(_folder, "static-pie", Program, "-static-pie"), "is statically linked");
    }

    [Fact]
    public void A_32_bit_program_is_refused()
    {
        var (exitCode, _, _) = Tool.TryRun("gcc", "-m32", "-o", _folder["small"], _folder.Write("small.c", Program));
        Assert.SkipUnless(exitCode == 0, "gcc -m32 does not work here (gcc-multilib)");

        Refused(_folder["small"], "is a 32-bit program");
    }

    [Fact]
    public void A_program_of_another_machine_is_refused_by_its_header_alone()
    {
        var path = Tool.CompileC(_folder, "program", Program);
        var bytes = File.ReadAllBytes(path);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(18), (ushort)ElfMachine.AArch64);
        File.WriteAllBytes(path, bytes);

        Refused(path, "is built for 64-bit Arm, and this machine is x86-64");
    }

    [Fact]
    public void A_program_of_musl_can_be_profiled()
    {
        Tool.Need("musl-gcc");
        Tool.Run("musl-gcc", "-o", _folder["small"], _folder.Write("small.c", Program));

        Assert.Equal(_folder["small"], Check(_folder["small"]).Program);
    }

    [Fact]
    public void A_program_of_a_third_C_library_is_refused_by_its_name() => Refused(
        Tool.CompileC(_folder, "program", Program, "-Wl,--dynamic-linker=/lib/ld64-uClibc.so.0"), "is linked with uClibc");

    [Fact]
    public void A_program_whose_dynamic_linker_is_missing_is_refused() => Refused(
        Tool.CompileC(_folder, "program", Program, "-Wl,--dynamic-linker=/nowhere/ld-linux-x86-64.so.2"),
        "needs the dynamic linker '/nowhere/ld-linux-x86-64.so.2', which does not exist");

    [Fact]
    public void A_script_stands_for_its_interpreter()
    {
        var result = Check(Executable("script", "#! /bin/sh  -e \necho\n"));

        Assert.Equal("/bin/sh", result.Program);
        Assert.Equal(["/bin/sh"], result.Interpreters);
    }

    [Fact]
    public void A_script_is_refused_for_what_its_interpreter_is()
    {
        var program = Tool.CompileC(_folder, "static", Program, "-static");

        Refused(Executable("a", "#!" + program), $"'{_folder["a"]}' is a script for '{program}', which is statically linked");
        Refused(Executable("b", "#!/nowhere/sh\n"), "is a script for '/nowhere/sh', which does not exist; install it");
        Refused(Executable("c", "#!/bin/sh\r\n"), "carriage return");
        Refused(Executable("d", "#!\necho\n"), "names no interpreter");
        Refused(Executable("e", "#!   "), "names no interpreter");
        Refused(Executable("f", "#!/" + new string('x', 300)), "names no interpreter");
        Refused(Executable("g", "#!" + _folder.Path), "is a directory");
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void A_chain_of_interpreters_is_followed_exactly_as_far_as_the_kernel_does(int length)
    {
        var path = Tool.CompileC(_folder, "program", Program);
        for (var i = 0; i < length; i++)
        {
            path = Executable($"script{i}", $"#!{path}\n");
        }

        var runs = Tool.TryRun("env", path).ExitCode == 0;

        if (runs)
        {
            Assert.Equal(length, Check(path).Interpreters.Count);
        }
        else
        {
            Refused(path, "the kernel follows no more than");
        }
    }

    [Fact]
    public void A_script_that_names_itself_is_refused() =>
        Refused(Executable("self", $"#!{_folder["self"]}\n"), "the kernel follows no more than");

    [Fact]
    public void A_shim_that_cannot_be_preloaded_is_refused_before_anything_else()
    {
        var spaced = _folder["a folder"];
        Directory.CreateDirectory(spaced);
        File.Copy(_shim, spaced + "/shim.so");

        Refused("sh", "cannot be used (No such file or directory)", options => options with { ShimPath = _folder["none.so"] });
        Refused("sh", "holds a space or a colon", options => options with { ShimPath = spaced + "/shim.so" });
        Refused("sh", "is not a shim", options => options with { ShimPath = Tool.CompileC(_folder, "x.o", Program, "-c") });
    }

    [Fact]
    public void A_name_with_control_characters_gives_one_line()
    {
        var error = Assert.Throws<ToolException>(() => Check("./a\nb\u001b[31m"));

        Assert.DoesNotContain(error.Message, char.IsControl);
    }

    private string Executable(string name, string text) => Executable(_folder.Write(name, text));

    private static string Executable(string path)
    {
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        return path;
    }

    private PreflightResult Check(string command, Func<PreflightOptions, PreflightOptions>? change = null)
    {
        var options = new PreflightOptions { ShimPath = _shim };
        return Preflight.Check([command], change?.Invoke(options) ?? options);
    }

    private void Refused(string command, string reason, Func<PreflightOptions, PreflightOptions>? change = null)
    {
        var error = Assert.Throws<ToolException>(() => Check(command, change));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Target, error.ExitCode);
    }
}
