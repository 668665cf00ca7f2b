namespace NLDS.BackupAgent.Storage;

/// <summary>
/// The store could not do what was asked; whether the object exists is not known. The message says what was tried, on what, why it failed
/// and what to do, and holds no secret.
/// </summary>
public sealed class ObjectStoreException : Exception
{
    public ObjectStoreException(string message, bool isPermanent, Exception? inner = null)
        : base(message, inner)
    {
        IsPermanent = isPermanent;
    }

    /// <summary>True when trying again cannot help: refused credentials, no such bucket, a read-only store.</summary>
    public bool IsPermanent { get; }
}
