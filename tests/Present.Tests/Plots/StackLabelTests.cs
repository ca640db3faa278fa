using NativeHeap.Model;
using NativeHeap.Present.Plots;

namespace NativeHeap.Present.Tests.Plots;

public sealed class StackLabelTests
{
    [Theory]
    [InlineData("main", "main")]
    [InlineData("parse(std::string, int)", "parse")]
    [InlineData("std::vector<int, std::allocator<int> > app::load<int>(int) const", "app::load")]
    [InlineData("void std::vector<int>::_M_realloc_insert<int const&>(int*, int const&)", "std::vector::_M_realloc_insert")]
    [InlineData("operator new(unsigned long)", "operator new")]
    [InlineData("app::Key::operator()(int) const", "app::Key::operator()")]
    [InlineData("bool app::operator<<int>(app::A<int> const&, int)", "app::operator<<int>")]
    [InlineData("(anonymous namespace)::start(char**)", "start")]
    [InlineData("app::run()::{lambda(int)#1}::operator()(int) const", "app::run::::operator()")]
    [InlineData("<alloc::vec::Vec<T> as core::clone::Clone>::clone", "::clone")]
    [InlineData("<int>", "<int>")]
    public void A_name_is_bared_of_types_and_parameters(string function, string bare) =>
        Assert.Equal(bare, StackLabel.BareName(function));

    [Theory]
    [InlineData("xmalloc")]
    [InlineData("sqlite3Malloc")]
    [InlineData("_PyMem_RawRealloc")]
    [InlineData("ngx_palloc")]
    [InlineData("zmalloc_usable")]
    [InlineData("g_strndup")]
    [InlineData("operator new(unsigned long)")]
    [InlineData("std::__cxx11::basic_string<char>::_M_mutate(unsigned long)")]
    public void Wrappers_of_the_allocator_are_not_the_place(string wrapper)
    {
        var stack = Stack(("server", wrapper), ("server", "load_order(int)"), ("server", "main"));
        Assert.Equal("load_order (server)", StackLabel.Of(stack));
    }

    [Theory]
    [InlineData("image_alloc")]
    [InlineData("allocate_order")]
    [InlineData("mallocator::run")]
    public void A_function_that_merely_speaks_of_allocation_is(string function) =>
        Assert.Equal($"{function} (server)", StackLabel.Of(Stack(("server", function), ("server", "main"))));

    [Fact]
    public void Frames_of_the_runtime_libraries_are_not_the_place() =>
        Assert.Equal(
            "save (server)",
            StackLabel.Of(Stack(("/lib/libc.so.6", "fopen"), ("/usr/lib/libstdc++.so.6", null), ("/srv/server", "save"))));

    [Fact]
    public void Inlined_code_of_the_standard_library_is_not_the_place()
    {
        var module = new Binary("server", null);
        var at = new Location(module, 0x10, FrameKind.Native);
        var stack = new CallStack(
            EntryPoint.Malloc,
            [
                new Frame(at, new ResolvedFrame("allocate", "/usr/include/c++/12/bits/new_allocator.h", 137, true)),
                new Frame(at, new ResolvedFrame("load", "server.cpp", 12, false)),
            ]);
        Assert.Equal("load (server)", StackLabel.Of(stack));
    }

    [Fact]
    public void A_stack_of_wrappers_alone_is_called_by_its_innermost() =>
        Assert.Equal("getdelim (libc.so.6)", StackLabel.Of(Stack(("libc.so.6", "getdelim"), ("libc.so.6", "start_main"))));

    [Fact]
    public void A_place_without_a_name_is_module_and_offset() =>
        Assert.Equal("server+0x1010", StackLabel.Of(Stack(("/srv/server", null))));

    [Fact]
    public void A_stack_without_frames_says_so() => Assert.Equal("(no stack)", StackLabel.Of(Stack()));

    [Fact]
    public void A_long_name_is_cut_in_its_middle()
    {
        var label = StackLabel.Of(Stack(("server", new string('a', 100) + "_the_end")));
        Assert.True(label.Length < 60, label);
        Assert.Contains("…", label, StringComparison.Ordinal);
        Assert.Contains("the_end", label, StringComparison.Ordinal);
    }

    private static CallStack Stack(params (string Module, string? Function)[] frames) => new(
        EntryPoint.Malloc,
        [
            .. frames.Select((frame, i) => new Frame(
                new Location(new Binary(frame.Module, null), (ulong)(0x1010 + (i * 16)), FrameKind.Native),
                frame.Function is null ? null : new ResolvedFrame(frame.Function, null, null, false))),
        ]);
}
