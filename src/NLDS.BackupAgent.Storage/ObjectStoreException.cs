using System.Globalization;

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

    /// <summary>
    /// Objects that a delete left because the store keeps them for a time; the others of that delete are gone. Empty for every other failure, so a caller
    /// that can wait tells them apart: <c>catch (ObjectStoreException kept) when (kept.Locked.Count > 0)</c>.
    /// </summary>
    public IReadOnlyList<LockedObject> Locked { get; init; } = [];

    internal static ObjectStoreException KeptByLocks(string store, IReadOnlyList<LockedObject> locked, int asked) =>
        new(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{locked.Count} of {asked} objects in {store} are locked and were left, among them '{locked[0].Key}' until {locked[0].Until:yyyy-MM-dd HH:mm:ss}Z. "
                + $"The others were deleted. Delete these when their time has passed."),
            isPermanent: true)
        {
            Locked = locked,
        };
}
