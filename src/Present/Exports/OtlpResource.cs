using Google.Protobuf;
using NativeHeap.Model;
using NativeHeap.Present.Exports.Otlp;

namespace NativeHeap.Present.Exports;

/// <summary>What an OTLP message has of one process: its attributes, and a profile for each sample type.</summary>
/// <param name="process">The process.</param>
/// <param name="resource">Its attributes.</param>
/// <param name="scope">Who made the profiles.</param>
/// <param name="profiles">The profiles, without samples.</param>
internal sealed class OtlpResource(
    ProcessInfo process, Resource resource, InstrumentationScope scope, IReadOnlyList<Profile> profiles) : IDisposable
{
    private readonly EncodedMessages[] _samples = [.. profiles.Select(_ => new EncodedMessages(Profile.SamplesFieldNumber))];

    /// <summary>The process.</summary>
    public ProcessInfo Process => process;

    /// <summary>Adds a sample to the profile of a number.</summary>
    public void Add(int profile, Sample sample) => _samples[profile].Add(sample);

    /// <summary>Writes it, as one of the resources of <see cref="ProfilesData"/>.</summary>
    /// <param name="coded">Writes to <paramref name="output"/>.</param>
    /// <param name="output">Where to.</param>
    public void WriteTo(CodedOutputStream coded, Stream output)
    {
        var sizes = profiles.Zip(_samples, (profile, samples) => checked(profile.CalculateSize() + samples.Length)).ToArray();
        var scopeSize = SizeOf(ScopeProfiles.ScopeFieldNumber, scope.CalculateSize())
            + sizes.Sum(size => SizeOf(ScopeProfiles.ProfilesFieldNumber, size));
        var size = SizeOf(ResourceProfiles.ResourceFieldNumber, resource.CalculateSize())
            + SizeOf(ResourceProfiles.ScopeProfilesFieldNumber, scopeSize);
        Begin(coded, ProfilesData.ResourceProfilesFieldNumber, size);
        Begin(coded, ResourceProfiles.ResourceFieldNumber, resource.CalculateSize());
        resource.WriteTo(coded);
        Begin(coded, ResourceProfiles.ScopeProfilesFieldNumber, scopeSize);
        Begin(coded, ScopeProfiles.ScopeFieldNumber, scope.CalculateSize());
        scope.WriteTo(coded);
        for (var i = 0; i < sizes.Length; i++)
        {
            Begin(coded, ScopeProfiles.ProfilesFieldNumber, sizes[i]);
            profiles[i].WriteTo(coded);
            coded.Flush();
            _samples[i].WriteTo(output);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Array.ForEach(_samples, samples => samples.Dispose());

    private static void Begin(CodedOutputStream coded, int field, int size)
    {
        coded.WriteTag(field, WireFormat.WireType.LengthDelimited);
        coded.WriteLength(size);
    }

    private static int SizeOf(int field, int size) =>
        checked(CodedOutputStream.ComputeTagSize(field) + CodedOutputStream.ComputeLengthSize(size) + size);
}
