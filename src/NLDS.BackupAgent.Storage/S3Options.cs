using System.Text.RegularExpressions;

namespace NLDS.BackupAgent.Storage;

/// <summary>The section <c>Storage:S3</c>. Credentials come from the AWS SDK's own chain (environment, profile, web identity, instance role).</summary>
public sealed partial class S3Options
{
    private const int MaximumPartBytes = 1 << 30;

    /// <summary>What S3 leaves of its 1024 bytes beside the longest key and a slash.</summary>
    private const int MaximumPrefixLength = 120;

    public string? Bucket { get; set; }

    /// <summary>A folder in the bucket; empty for its top.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>The AWS region, or the region that a compatible store signs with. The SDK's own chain decides when it is not set.</summary>
    public string? Region { get; set; }

    /// <summary>The address of a compatible store; not set for AWS.</summary>
    public string? ServiceUrl { get; set; }

    /// <summary>The bucket in the path instead of the host name. Compatible stores mostly need it, so it is on where ServiceUrl is set.</summary>
    public bool? ForcePathStyle { get; set; }

    /// <summary>The size of a multipart upload's first parts; a writer holds three of them, and larger ones as an object grows.</summary>
    public int PartSizeBytes { get; set; } = ObjectWriter.DefaultPartBytes;

    public ConditionalPut ConditionalPut { get; set; } = ConditionalPut.Auto;

    /// <summary>Off by default: a bucket has to be made for it, and what is locked costs money until its time has passed.</summary>
    public ObjectLockOptions ObjectLock { get; set; } = new();

    internal bool UsesPathStyle => ForcePathStyle ?? ServiceUrl is not null;

    internal IEnumerable<string> Faults()
    {
        if (Bucket is null || !BucketName().IsMatch(Bucket))
        {
            yield return string.IsNullOrWhiteSpace(Bucket)
                ? "Storage:S3:Bucket is not set. Set it to the name of the bucket for the backups."
                : $"Storage:S3:Bucket is '{Bucket}', which is no bucket name. Set 3 to 63 lower-case letters, digits, dots and hyphens.";
        }

        if (Prefix.Trim('/') is { Length: > 0 } prefix && (prefix.Length > MaximumPrefixLength || !ObjectKey.TryParse(prefix, out _)))
        {
            yield return $"Storage:S3:Prefix is '{Prefix}'. Set at most {MaximumPrefixLength} letters, digits and . _ - = + in segments joined by slashes.";
        }

        if (ServiceUrl is not null && !(Uri.TryCreate(ServiceUrl, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"))
        {
            yield return $"Storage:S3:ServiceUrl is '{ServiceUrl}'. Set an address such as https://s3.example.net, or remove it for AWS.";
        }

        if (ServiceUrl is not null && Uri.TryCreate(ServiceUrl, UriKind.Absolute, out var address) && address.UserInfo.Length > 0)
        {
            yield return "Storage:S3:ServiceUrl holds a user name. Remove it; credentials come from the AWS SDK's chain.";
        }

        if (PartSizeBytes is < ObjectWriter.MinimumPartBytes or > MaximumPartBytes)
        {
            yield return $"Storage:S3:PartSizeBytes is {PartSizeBytes}. Set {ObjectWriter.MinimumPartBytes} (S3's minimum) to {MaximumPartBytes}.";
        }

        if (!Enum.IsDefined(ConditionalPut))
        {
            yield return $"Storage:S3:ConditionalPut is {ConditionalPut}. Set it to Auto, On or Off.";
        }

        foreach (var fault in ObjectLock.Faults())
        {
            yield return fault;
        }
    }

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]\z")]
    private static partial Regex BucketName();
}
