using System.Text.Json.Serialization;

namespace NativeHeap.Cli;

/// <summary>The command line as it stands in a trace.</summary>
[JsonSerializable(typeof(IReadOnlyList<string>))]
internal sealed partial class CommandJson : JsonSerializerContext;
