using System.Diagnostics;
using NativeHeap.Testing;

namespace NativeHeap.Managed.Tests;

public sealed class NameTests
{
    private const string Type = "NativeHeap.Managed.Tests.Samples<TOwner>";
    private static readonly string Own = typeof(NameTests).Assembly.Location;

    public static TheoryData<string> Kinds => [.. Frames().Result.Select(item => item.Name)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_method_is_called_what_its_author_called_it(string name)
    {
        var frame = (await Frames()).First(item => item.Name == name).Frame;
        using var file = AssemblyFile.TryOpen(new LoadedAssembly(Own, null), Fail)!;
        Assert.Equal(name, file.FindMethod(TokenOf(frame))?.Text);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_place_has_the_line_that_the_runtime_says(string name)
    {
        var frame = (await Frames()).First(item => item.Name == name).Frame;
        using var file = AssemblyFile.TryOpen(new LoadedAssembly(Own, null), Fail)!;
        var line = file.FindLine(TokenOf(frame), frame.GetILOffset());
        Assert.NotEqual(0, frame.GetFileLineNumber());
        Assert.Equal((frame.GetFileName(), frame.GetFileLineNumber()), (line?.File, line?.Line));
    }

    [Fact]
    public async Task State_machines_are_known_by_the_compilers_attribute_when_there_is_no_PDB()
    {
        using var folder = new TempFolder();
        File.Copy(Own, folder["alone.dll"]);
        using var file = AssemblyFile.TryOpen(new LoadedAssembly(folder["alone.dll"], null), Fail)!;
        foreach (var (name, frame) in await Frames())
        {
            Assert.Equal(name, file.FindMethod(TokenOf(frame))?.Text);
            Assert.Null(file.FindLine(TokenOf(frame), frame.GetILOffset()));
        }
    }

    [Fact]
    public void Another_assemblys_PDB_gives_no_line_and_a_note()
    {
        using var folder = new TempFolder();
        var name = Path.GetFileName(NamesProgram.Assembly);
        File.Copy(NamesProgram.Assembly, folder[name]);
        File.Copy(Path.ChangeExtension(Own, ".pdb"), folder[Path.ChangeExtension(name, ".pdb")]);
        var notes = new List<string>();
        using var file = AssemblyFile.TryOpen(new LoadedAssembly(folder[name], null), notes.Add)!;
        var token = file.FindToken("Targets.Program", "Plain", "void  (int32)");
        Assert.Equal("Targets.Program.Plain(int)", file.FindMethod(token)?.Text);
        Assert.Null(file.FindLine(token, 10));
        Assert.Contains("is not the PDB of", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Fact]
    public void An_assembly_that_was_built_anew_names_nothing_of_what_ran()
    {
        var notes = new List<string>();
        Assert.Null(AssemblyFile.TryOpen(new LoadedAssembly(Own, Guid.NewGuid()), notes.Add));
        Assert.Contains("is another build", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_assembly_names_nothing()
    {
        using var folder = new TempFolder();
        var notes = new List<string>();
        Assert.Null(AssemblyFile.TryOpen(new LoadedAssembly(folder.Write("text.dll", "no"), null), notes.Add));
        Assert.Single(notes);
        Assert.Null(AssemblyFile.TryOpen(new LoadedAssembly(folder["missing.dll"], null), Fail));
    }

    [Fact]
    public void Overloads_are_told_apart_by_the_runtimes_spelling_of_their_parameters()
    {
        using var file = AssemblyFile.TryOpen(new LoadedAssembly(typeof(string).Assembly.Location, null), Fail)!;
        var concat = file.FindToken(
            "System.String", "Concat", "class System.String  (class System.String,class System.String,class System.String)");
        Assert.Equal("System.String.Concat(string, string, string)", file.FindMethod(concat)?.Text);
        var find = file.FindToken("System.Collections.Generic.List`1[System.__Canon]", "Add", "instance void  (!0)");
        Assert.Equal("System.Collections.Generic.List<T>.Add(T)", file.FindMethod(find)?.Text);
        Assert.Equal(0, file.FindToken("System.String", "Concat", "class System.String  (int32)"));
    }

    [Theory]
    [InlineData("Ns.Outer`1+Inner[System.Int32]", "Go", "instance void  (class System.Collections.Generic.List`1<int32>,unsigned int8*&,int32[])", "Ns.Outer.Inner<int>.Go(List<int>, ref byte*, int[])")]
    [InlineData("dynamicClass", "IL_STUB_PInvoke", "int  (int,int32)", "IL_STUB_PInvoke(nint, int)")]
    [InlineData("Ns.Type+<GoAsync>d__5", "MoveNext", "instance void  ()", "Ns.Type.GoAsync")]
    [InlineData("Ns.Type+<>c", "<Go>b__0_1", "instance bool  (wchar)", "Ns.Type.Go.lambda#1(char)")]
    [InlineData("", "", "", "()")]
    [InlineData("[", "<", "  (", ".<()")]
    public void Without_the_assembly_the_runtimes_words_are_made_readable(
        string type, string name, string signature, string expected)
    {
        var code = new MethodCode { Start = 1, Namespace = type, Name = name, Signature = signature };
        Assert.Equal(expected, RuntimeNames.Describe(code));
    }

    private static async Task<(string Name, StackFrame Frame)[]> Frames()
    {
        var samples = new Samples<string>();
        var text = "";
        return
        [
            ($"{Type}..ctor()", samples.Constructor()),
            ($"{Type}.Parameters(int, ref string, out object, in decimal, int?[], int[,], Dictionary<string, List<TOwner>>, nint)",
                Samples<string>.Parameters(1, ref text, out _, 1m, [], new int[1, 1], [], 0)),
            ($"{Type}.Generic<T>(T)", samples.Generic(1)),
            ($"{Type}.WaitAsync(int)", await samples.WaitAsync(1)),
            ($"{Type}.Items(string)", samples.Items("x").First()),
            ($"{Type}.ItemsAsync()", await FirstOf(samples.ItemsAsync())),
            ($"{Type}.Lambda.lambda#1(long)", Samples<string>.Lambda(1)),
            ($"{Type}.Local.Inner(string)", Samples<string>.Local(1)),
            ($"{Type}.AsyncLambda.lambda#0(byte)", await Samples<string>.AsyncLambda()),
            ($"{Type}.System.IComparable<NativeHeap.Managed.Tests.Samples<TOwner>>.CompareTo(Samples<TOwner>)", samples.Explicit()),
            ($"{Type}.Nested<T>.get_Item(T)", new Samples<string>.Nested<int>()[1]),
        ];
    }

    private static async Task<StackFrame> FirstOf(IAsyncEnumerable<StackFrame> items)
    {
        await foreach (var item in items)
        {
            return item;
        }

        throw new InvalidOperationException("empty");
    }

    private static int TokenOf(StackFrame frame) => frame.GetMethod()!.MetadataToken;

    private static void Fail(string note) => Assert.Fail(note);
}
