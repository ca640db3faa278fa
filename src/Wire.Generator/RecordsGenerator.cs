using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace NativeHeap.Wire.Generator;

/// <summary>Writes the C# side of <c>native/wire/records.def</c>: constants, enums, records and their layout.</summary>
[Generator]
public sealed class RecordsGenerator : IIncrementalGenerator
{
    private static readonly DiagnosticDescriptor _malformed = new(
        "NHW001", "records.def cannot be read", "{0}", "Wire", DiagnosticSeverity.Error, isEnabledByDefault: true);

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var texts = context.AdditionalTextsProvider
            .Where(file => Path.GetFileName(file.Path) == "records.def")
            .Select((file, cancel) => file.GetText(cancel)?.ToString() ?? "");
        context.RegisterSourceOutput(texts, (output, text) =>
        {
            try
            {
                var source = new SourceWriter(DefinitionParser.Parse(text)).Write();
                output.AddSource("Records.g.cs", SourceText.From(source, Encoding.UTF8));
            }
            catch (FormatException fault)
            {
                output.ReportDiagnostic(Diagnostic.Create(_malformed, Location.None, fault.Message));
            }
        });
    }
}
