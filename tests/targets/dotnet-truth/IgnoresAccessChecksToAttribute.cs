namespace System.Runtime.CompilerServices;

/// <summary>Known to the runtime by its name: lets an emitted assembly call what is internal here.</summary>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
public sealed class IgnoresAccessChecksToAttribute(string assemblyName) : Attribute
{
    public string AssemblyName { get; } = assemblyName;
}
