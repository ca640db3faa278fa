using NativeHeap.Collect.Diagnosis;
using NativeHeap.Collect.Launching;
using NativeHeap.Model;
using NativeHeap.Symbols;
using NativeHeap.Testing;

namespace NativeHeap.Collect.Tests.Diagnosis;

public sealed class DiagnosisTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Shim => File.Exists(_folder["attached.so"]) ? _folder["attached.so"] : Library("attached.so", "int shim;");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_table_of_settings_is_the_shims_own()
    {
        Assert.Equal(
            ["NATIVEHEAP_SOCKET", "NATIVEHEAP_OUT", "NATIVEHEAP_OUT_LIMIT", "NATIVEHEAP_SAMPLE", "NATIVEHEAP_MMAP", "NATIVEHEAP_FOLLOW"],
            ShimSettingTable.All.Select(setting => setting.Name));
        Assert.All(ShimSettingTable.All, setting => Assert.True(setting.Meaning.Length > 0 && setting.Default.Length > 0));
    }

    [Fact]
    public void A_shim_that_loads_and_a_machine_that_serves_are_found_in_order()
    {
        var findings = ShimDiagnosis.Examine(Library("shim.so", "int shim;"));

        Assert.Equal(["shim", "socket folder", "shared memory", "fork detection"], findings.Select(finding => finding.Name));
        Assert.All(findings, finding => Assert.Equal(FindingState.Ok, finding.State));
    }

    [Fact]
    public void A_shim_that_is_missing_or_cannot_be_loaded_fails_with_the_linkers_own_words()
    {
        // A version of libc that does not exist: what a shim built elsewhere would ask for.
        var library = Library("needy.so", """
            extern int later(void);
            int shim(void) { return later(); }
            """, "-Wl,-z,now", Library("liblater.so", "int later(void) { return 1; }"));
        File.Delete(_folder["liblater.so"]);

        var missing = ShimDiagnosis.Examine(_folder["none.so"])[0];
        var broken = ShimDiagnosis.Examine(library)[0];

        Assert.Equal(FindingState.Fails, missing.State);
        Assert.Contains("No such file or directory", missing.Detail, StringComparison.Ordinal);
        Assert.Equal(FindingState.Fails, broken.State);
        Assert.Contains("liblater.so", broken.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shim_whose_program_does_not_end_well_fails()
    {
        var library = Library("rude.so", "#include <unistd.h>\n__attribute__((constructor)) static void start(void) { _exit(9); }");

        var finding = ShimDiagnosis.Examine(library)[0];

        Assert.Equal(FindingState.Fails, finding.State);
        Assert.Contains("exit code 9", finding.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void The_host_has_a_kernel_a_c_library_and_limits_to_tell_of()
    {
        var findings = HostDiagnosis.Examine().ToDictionary(finding => finding.Name);

        Assert.Equal(Tool.Run("uname", "-r").Trim(), findings["kernel"].Detail);
        Assert.StartsWith(Tool.Run("getconf", "GNU_LIBC_VERSION").Trim() + ";", findings["C library"].Detail, StringComparison.Ordinal);
        Assert.Contains("ptrace scope", findings.Keys);
        Assert.Contains("address space (ulimit -v)", findings.Keys);
    }

    [Fact]
    public void Missing_symbol_tools_are_notes_with_a_cure_and_found_ones_tell_their_version()
    {
        var none = SymbolsDiagnosis.Examine(new SymbolizerOptions { Tools = new SymbolTools(null, null, null), DebugFolders = [], CacheFolders = [] });
        var found = SymbolsDiagnosis.Examine(new SymbolizerOptions());

        Assert.Equal(
            ["llvm-symbolizer", "addr2line", "demangler", "debug information"],
            none.Where(finding => finding.State == FindingState.Note && finding.Name != "debuginfod").Select(finding => finding.Name));
        Assert.Contains("no files and lines", none[1].Detail, StringComparison.Ordinal);
        Assert.Contains("GNU addr2line", found.Single(finding => finding.Name == "addr2line").Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_without_the_shim_is_not_recorded()
    {
        using var program = new RunningProgram(Waiting());

        var diagnosis = ProcessDiagnosis.Examine(program.Pid, Shim);

        Assert.False(diagnosis.HasShim);
        Assert.False(diagnosis.IsRecorded);
        Assert.Equal(_folder["waiting"], diagnosis.Command);
        Assert.Contains("the shim is not loaded", diagnosis.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_with_a_shim_that_found_no_collector_is_not_recorded()
    {
        var start = new System.Diagnostics.ProcessStartInfo(Waiting());
        start.Environment["LD_PRELOAD"] = Library("libnativeheap.so", "int shim;");
        start.Environment["NATIVEHEAP_SOCKET"] = _folder["socket"];
        using var program = new RunningProgram(start);

        var diagnosis = ProcessDiagnosis.Examine(program.Pid, Shim);

        Assert.True(diagnosis.HasShim);
        Assert.False(diagnosis.IsRecorded);
        Assert.Contains("found no collector", diagnosis.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_with_a_region_is_recorded_as_long_as_its_collector_answers()
    {
        // A stand-in for the shim that maps a region as the real one does.
        var shim = Library("libnativeheap.so", """
            #define _GNU_SOURCE
            #include <sys/mman.h>
            #include <unistd.h>
            __attribute__((constructor)) static void start(void) {
                int memory = memfd_create("nativeheap", 0);
                ftruncate(memory, 4096);
                mmap(0, 4096, PROT_READ, MAP_SHARED, memory, 0);
                close(memory);
            }
            """);
        var start = new System.Diagnostics.ProcessStartInfo(Waiting());
        start.Environment["LD_PRELOAD"] = shim;
        start.Environment["NATIVEHEAP_SOCKET"] = _folder["socket"];
        using var program = new RunningProgram(start);
        using (var collector = new System.Net.Sockets.Socket(
            System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified))
        {
            collector.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(_folder["socket"]));
            collector.Listen();

            Assert.True(ProcessDiagnosis.Examine(program.Pid, Shim).IsRecorded);
        }

        var after = ProcessDiagnosis.Examine(program.Pid, Shim);
        Assert.False(after.IsRecorded);
        Assert.Contains("its collector is gone", after.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_that_is_not_there_is_an_error_of_the_target()
    {
        using var program = new RunningProgram(Waiting());
        program.End();

        var error = Assert.Throws<ToolException>(() => ProcessDiagnosis.Examine(program.Pid, Shim));

        Assert.Equal(ExitCodes.Target, error.ExitCode);
    }

    private string Waiting() => Tool.CompileC(
        _folder, "waiting", "#include <stdio.h>\nint main(void) { puts(\"ready\"); fflush(stdout); getchar(); return 0; }");

    private string Library(string name, string source, params string[] arguments) =>
        Tool.CompileC(_folder, name, source, ["-shared", "-fPIC", .. arguments]);
}
