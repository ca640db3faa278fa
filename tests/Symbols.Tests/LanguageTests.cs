using NativeHeap.Testing;

namespace NativeHeap.Symbols.Tests;

/// <summary>Functions, files, lines and inlined functions of real programs, by either tool.</summary>
public sealed class LanguageTests : IDisposable
{
    private const string InlineChain = """
        struct Pool {
            inline __attribute__((always_inline)) int take(int n) {
                mark("inner"); return n + 1;
            }
        };
        static inline __attribute__((always_inline)) int refill(Pool &pool, int n) {
            return pool.take(n) + 2; // second
        }
        namespace cache {
        inline __attribute__((always_inline)) int fill(Pool &pool, int n) {
            return refill(pool, n * 2); // third
        }
        __attribute__((noinline)) int serve(Pool &pool, int n) {
            int result = fill(pool, n); // outer
            asm volatile("");
            return result;
        }
        }
        int main(int n, char **) { Pool pool; return cache::serve(pool, n) == 0; }
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(LineTools.Llvm)]
    [InlineData(LineTools.Addr2Line)]
    public void A_chain_of_three_inlined_functions_stands_before_the_function_it_is_inlined_in(LineTools tools)
    {
        var program = MarkedProgram.Cpp(_folder, "chain", InlineChain);
        using var symbolizer = SymbolizerHarness.Symbolizer(tools);

        var frames = symbolizer.Resolve(program["inner"]);

        // refill is of this file alone: debug information has no linkage name for it, so no parameters either.
        Assert.Equal(
            [
                $"*Pool::take(int) chain.cpp:{program.Line("inner")}",
                $"*refill chain.cpp:{program.LineOf("// second")}",
                $"*cache::fill(Pool&, int) chain.cpp:{program.LineOf("// third")}",
                $"cache::serve(Pool&, int) chain.cpp:{program.LineOf("// outer")}",
            ],
            frames.Shown());
        Assert.All(frames, frame => Assert.Equal(_folder["chain.cpp"], frame.File));
        Assert.Empty(symbolizer.Notes);
    }

    [Theory]
    [InlineData(LineTools.Llvm)]
    [InlineData(LineTools.Addr2Line)]
    [InlineData(LineTools.None)]
    public void Cpp_functions_of_every_kind_are_demangled_with_their_parameters(LineTools tools)
    {
        var program = MarkedProgram.Cpp(_folder, "kinds", """
            #define KEEP __attribute__((noinline, noclone))
            namespace {
            KEEP int hidden(const char *, long) { mark("anonymous"); return 1; }
            }
            template <class T, int N> struct Box {
                KEEP T put(T value) const { mark("template"); return value; }
                KEEP Box() { mark("constructor"); }
                KEEP bool operator<(const Box &) { mark("operator"); return true; }
            };
            template <class... T> KEEP int many(T...) { mark("variadic"); return sizeof...(T); }
            KEEP static int quiet(unsigned short) { mark("static"); return 2; }
            int main(int n, char **v) {
                auto lambda = [](int x, double) KEEP { mark("lambda"); return x; };
                Box<unsigned char, 3> box;
                int sum = hidden(v[0], n) + box.put(n) + (box < box) + many(1, 'c', 2.0f) + quiet(n) + lambda(n, 1.0);
                return sum == 0;
            }
            """, "-fno-optimize-sibling-calls");
        using var symbolizer = SymbolizerHarness.Symbolizer(tools);
        string[] marks = ["anonymous", "template", "constructor", "operator", "variadic", "static", "lambda"];

        var functions = symbolizer.ResolveAll([.. marks.Select(mark => program[mark])]);

        Assert.Equal(
            [
                "(anonymous namespace)::hidden(char const*, long)",
                "Box<unsigned char, 3>::put(unsigned char) const",
                "Box<unsigned char, 3>::Box()",
                "Box<unsigned char, 3>::operator<(Box<unsigned char, 3> const&)",
                "int many<int, char, float>(int, char, float)",
                "quiet(unsigned short)",
                "main::{lambda(int, double)#1}::operator()(int, double) const",
            ],
            functions.Select(frames => Assert.Single(frames).Function));
        Assert.Equal(
            marks.Select(mark => tools == LineTools.None ? null : (int?)program.Line(mark)),
            functions.Select(frames => frames[0].Line));
    }

    [Theory]
    [InlineData(LineTools.Llvm, "-pie")]
    [InlineData(LineTools.Llvm, "-no-pie")]
    [InlineData(LineTools.Addr2Line, "-pie")]
    [InlineData(LineTools.Addr2Line, "-no-pie")]
    [InlineData(LineTools.None, "-no-pie")]
    public void C_functions_are_named_in_programs_at_fixed_and_at_any_address(LineTools tools, string how)
    {
        var program = MarkedProgram.C(_folder, "plain", """
            __attribute__((noinline)) static int local(int n) { mark("local"); return n; }
            __attribute__((noinline)) int global(int n) { mark("global"); return local(n) + 1; }
            int main(int n, char **v) { return global(n) == 0; }
            """, how);
        using var symbolizer = SymbolizerHarness.Symbolizer(tools);
        int? Line(string mark) => tools == LineTools.None ? null : program.Line(mark);
        var file = tools == LineTools.None ? "" : "plain.c";

        Assert.Equal([$"local {file}:{Line("local")}"], symbolizer.Resolve(program["local"]).Shown());
        Assert.Equal([$"global {file}:{Line("global")}"], symbolizer.Resolve(program["global"]).Shown());
    }

    [Theory]
    [InlineData(LineTools.Llvm)]
    [InlineData(LineTools.Addr2Line)]
    public void A_call_that_ends_a_function_is_named_by_the_instruction_before_the_return_address(LineTools tools)
    {
        // The call never returns, so nothing follows it: the return address is the next function's first byte.
        var program = MarkedProgram.C(_folder, "noreturn", """
            #include <stdlib.h>
            __attribute__((noreturn, noinline)) static void leave(void) { mark("inside"); exit(0); }
            __attribute__((noreturn, noinline)) void last(void) { leave(); } // call
            __attribute__((noinline)) int after(int n) { return n * 7; }
            int main(int n, char **v) { if (n == 1) last(); return after(n); }
            """, "-fno-reorder-functions", "-fno-toplevel-reorder", "-falign-functions=1", "-fno-optimize-sibling-calls");
        var call = Tool.Run("objdump", "-d", "--no-show-raw-insn", program.Path).Split('\n')
            .SkipWhile(line => !line.EndsWith("<last>:", StringComparison.Ordinal))
            .SkipWhile(line => !line.Contains("call", StringComparison.Ordinal))
            .Skip(1)
            .First(line => line.Length > 0);
        var offset = Convert.ToUInt64(call.Trim().Split(':', ' ')[0], 16);
        using var symbolizer = SymbolizerHarness.Symbolizer(tools);

        var frames = symbolizer.Resolve(program["inside"] with { Offset = offset });

        Assert.Equal([$"last noreturn.c:{program.LineOf("// call")}"], frames.Shown());
    }

    [Theory]
    [InlineData(LineTools.Llvm, "legacy")]
    [InlineData(LineTools.Llvm, "v0")]
    [InlineData(LineTools.Addr2Line, "legacy")]
    [InlineData(LineTools.Addr2Line, "v0")]
    public void Rust_functions_are_demangled_in_both_schemes_without_their_hashes(LineTools tools, string mangling)
    {
        Tool.Need("rustc");
        var program = MarkedProgram.Rust(_folder, "demo", """
            use std::ffi::{c_char, CString};
            extern "C" { #[link_name = "mark"] fn tell(name: *const c_char); }
            #[inline(always)]
            fn mark(name: &str) { let name = CString::new(name).unwrap(); unsafe { tell(name.as_ptr()) } } // tell
            mod depot {
                pub struct Shelf<T>(pub T);
                impl<T: Copy> Shelf<T> {
                    #[inline(never)]
                    pub fn fetch(&self) -> T { super::mark("method"); self.0 }
                }
            }
            trait Weigh { fn weigh(&self) -> u32; }
            impl Weigh for depot::Shelf<u32> {
                #[inline(never)]
                fn weigh(&self) -> u32 { mark("trait"); self.0 }
            }
            #[inline(never)]
            fn plain(n: u32) -> u32 { mark("plain"); n + 1 }
            fn main() {
                let shelf = depot::Shelf(std::env::args().count() as u32);
                std::process::exit((plain(shelf.fetch()) + shelf.weigh() == 0) as i32);
            }
            """, "-C", "symbol-mangling-version=" + mangling);
        using var symbolizer = SymbolizerHarness.Symbolizer(tools);

        foreach (var (mark, function) in new[] { ("plain", "plain"), ("method", "fetch"), ("trait", "weigh") })
        {
            var frames = symbolizer.Resolve(program[mark]);

            Assert.Equal("demo::mark", frames[0].Function);
            Assert.Equal(program.LineOf("// tell"), frames[0].Line);
            Assert.True(frames[0].Inlined);
            Assert.Equal(program.Line(mark), frames[^1].Line);
            Assert.Contains(function, frames[^1].Function, StringComparison.Ordinal);
            Assert.All(frames, frame => Assert.DoesNotMatch("17h[0-9a-f]{16}|::h[0-9a-f]{16}|_R|_ZN|\\$", frame.Function));
        }
    }
}
