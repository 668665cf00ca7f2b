using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Testing.Storage;

/// <summary>Delivers the first half of a body, then fails as a broken connection does.</summary>
internal sealed class HalfBodyStream : MemoryStream
{
    private HalfBodyStream(byte[] half)
        : base(half, writable: false)
    {
    }

    public static async Task<Stream> OfAsync(Stream body, CancellationToken cancellationToken)
    {
        using var whole = new MemoryStream();
        await using (body)
        {
            await body.CopyToAsync(whole, cancellationToken);
        }

        return new HalfBodyStream(whole.ToArray()[..(int)(whole.Length / 2)]);
    }

    /// <summary>All other ways of reading come here, as they do in every class derived from MemoryStream.</summary>
    public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, count) is > 0 and var read ? read : count == 0 ? 0 : throw Broken();

    private static ObjectStoreException Broken() => new("An injected fault: the body broke off.", isPermanent: false);
}
