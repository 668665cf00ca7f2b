using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Repository.Encryption;

/// <summary>Section <c>Repository:Encryption</c>: whether what is stored can be read by whoever reads the store.</summary>
public sealed class EncryptionOptions : IValidatableObject
{
    /// <summary>
    /// A secret: 32 bytes in base64, or several of them separated by white space, of which the first writes and all read. Null stores everything unencrypted.
    /// <c>KeyFile</c>, the path of a file that holds the same, may stand in its place.
    /// </summary>
    public string? Key { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        _ = Encryption.Keyring.Parse(Key, out var faults);
        return faults.Select(fault => new ValidationResult(fault));
    }

    internal Keyring Keyring() => Encryption.Keyring.Parse(Key, out var faults) is var keys && faults.Count == 0
        ? keys
        : throw new InvalidOperationException("Repository:Encryption:Key was not validated.");
}
