using System.ComponentModel.DataAnnotations;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Encryption;

namespace NLDS.BackupAgent.Repository;

/// <summary>Section <c>Repository</c>: how content is kept.</summary>
public sealed class RepositoryOptions : IValidatableObject
{
    public const string Section = "Repository";

    /// <summary>
    /// Whether a store without a repository is given one. With <c>false</c>, for every start but the first, it is an error that is waited out: a volume that is not
    /// mounted, or a mistyped bucket or prefix, looks like an empty store.
    /// </summary>
    public bool Create { get; set; } = true;

    /// <summary><c>zstd</c> (default), <c>gzip</c> or <c>none</c>. Objects that were written with another codec stay readable.</summary>
    public string Compression { get; set; } = "zstd";

    /// <summary>1 (fastest) to 19 (smallest) for zstd, 1 to 9 for gzip.</summary>
    public int CompressionLevel { get; set; } = 3;

    /// <summary>Whether what is stored can be read by whoever reads the store.</summary>
    public EncryptionOptions Encryption { get; set; } = new();

    internal Codec Codec => Codecs.TryParse(Compression, out var codec)
        ? codec
        : throw new InvalidOperationException($"Repository:Compression '{Compression}' was not validated.");

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Codecs.TryParse(Compression, out var codec))
        {
            yield return new ValidationResult($"Repository:Compression is '{Compression}'. Write zstd, gzip or none.");
            yield break;
        }

        var highest = codec == Codec.Gzip ? 9 : 19;
        if (CompressionLevel < 1 || CompressionLevel > highest)
        {
            yield return new ValidationResult($"Repository:CompressionLevel is {CompressionLevel}. For {Compression} write 1 to {highest}.");
        }
    }
}
